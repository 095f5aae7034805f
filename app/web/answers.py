"""What requests ask in JSON, and what errors answer; the files of the page."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ...core import PhotomendError
from ...core.reading import parse_json
from .jobs import in_one_line
from .limits import Limits, TooLargeError
from .sessions import GoneError, TooManyError

#: Bytes of a request that isn't a photo: a mask of a million points.
ASKED = 32 * 2**20
STATUS: dict[type[Exception], int] = {GoneError: 410, TooLargeError: 413, TooManyError: 503}
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def page_files() -> dict[str, tuple[bytes, str]]:
    """The files of the page by their names, and their media types. Nothing else can be asked for."""
    folder = resources.files(__package__) / "page"
    return {
        each.name: (each.read_bytes(), kind)
        for each in folder.iterdir()
        if (kind := KINDS.get("." + each.name.rpartition(".")[2])) is not None
    }


async def read_json(request: Request) -> dict[str, Any]:
    """The object in a request's body. Raises PhotomendError for anything else, or for too much of it."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > ASKED:
            raise TooLargeError("there are too many marks")
    return parsed(body)


def parsed(body: bytes) -> dict[str, Any]:
    """The object that JSON says. Raises PhotomendError for anything else."""
    try:
        found = parse_json(body)
    except ValueError as error:
        raise PhotomendError("the request isn't JSON") from error
    if not isinstance(found, dict):
        raise PhotomendError("the request isn't a JSON object")
    return found


async def receive(request: Request, path: Path, limits: Limits, still_wanted: Callable[[], object]) -> bool:
    """Write the file that a request brings to `path`; False if its sender has left.

    `still_wanted` is called with each part that arrives. Raises PhotomendError for an empty file and for one that is
    too large, and whatever `still_wanted` raises.
    """
    declared, size = request.headers.get("content-length", ""), 0
    limits.check_upload(int(declared) if declared.isdecimal() else 0)
    try:
        with path.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                limits.check_upload(size)
                file.write(chunk)
                still_wanted()
    except ClientDisconnect:
        return False
    if not size:
        raise PhotomendError("the file is empty")
    return True


async def failed(request: Request, error: Exception) -> Response:
    """What went wrong with a photo, or with what was asked of it."""
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), None)
    return JSONResponse({"error": in_one_line(error)}, status or (500 if isinstance(error, OSError) else 422))


async def refused(request: Request, error: HTTPException) -> Response:
    """What isn't there, or isn't possible now."""
    return JSONResponse({"error": error.detail}, error.status_code)
