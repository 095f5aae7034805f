"""What there is of a photo to look at and to take away: views, marks and errors as pictures, the repaired file."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from .sessions import Session, Sessions
from .views import part_of
from .work import AFTER, BEFORE, CERTAINTY, FOUND_SHOWN, MASK_SHOWN, shown


class Pictures:
    """Answers what of a photo is asked for. Nothing is changed by that."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    async def view(self, request: Request) -> Response:
        session, asked = self.sessions.find(request.path_params["id"]), request.query_params
        path = session.folder / {"before": BEFORE, "after": AFTER}.get(asked.get("of", "before"), "")
        if session.photo is None or not path.is_file():
            raise HTTPException(404, "there is no such view of this photo")
        content, kind = await run_in_threadpool(shown, session, path, part_of(asked))
        return Response(content, media_type=kind)

    async def found(self, request: Request) -> Response:
        return self.file(self.sessions.find(request.path_params["id"]), FOUND_SHOWN)

    async def mask(self, request: Request) -> Response:
        session, number = self.sessions.find(request.path_params["id"]), request.query_params.get("number", "")
        return self.file(session, MASK_SHOWN.format(number if number.isdecimal() and len(number) <= 2 else 0))

    async def certainty(self, request: Request) -> Response:
        return self.file(self.sessions.find(request.path_params["id"]), CERTAINTY)

    async def repaired(self, request: Request) -> Response:
        session = self.sessions.find(request.path_params["id"])
        if session.photo is None or session.result is None:
            raise HTTPException(404, "this photo hasn't been repaired yet")
        name = session.photo["download"]
        return self.file(session, f"repaired.{name.rpartition('.')[2]}", name)

    def file(self, session: Session, file: str, name: str | None = None) -> Response:
        path = session.folder / file
        if not path.is_file():
            raise HTTPException(404, "there is no such view of this photo")
        return FileResponse(path, filename=name)
