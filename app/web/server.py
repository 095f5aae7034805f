"""The server: what can be asked of it, and what it answers.

    POST /api/photos?name=…           the bytes of a photo; its random id
    GET  /api/photos/ID               how far its job is, what the photo is, what the repair gave
    POST /api/photos/ID/find          looks for dust and scratches
    POST /api/photos/ID/mask?name=…   the bytes of a mask; as a job
    POST /api/photos/ID/marks         {"edits": [...]}: the mask that they make, as PNG
    POST /api/photos/ID/repair        {"edits": [...], "model": name, "look": name}
    POST /api/photos/ID/cancel        the job
    POST /api/photos/ID/close         removes everything of it
    GET  /api/photos/ID/view          a part of it as a screen shows it: of=before|after, x, y, width, height
    GET  /api/photos/ID/found         the damage that was found, as a picture
    GET  /api/photos/ID/mask          a mask that was sent, as a picture: number=n
    GET  /api/photos/ID/certainty     the errors to expect, as a picture
    GET  /api/photos/ID/repaired      the repaired photo

An error is JSON with one line, `{"error": …}`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ... import __version__
from ...core import PhotomendError
from .answers import failed, page_files, read_json, receive, refused
from .guard import Guard
from .jobs import Job, Jobs
from .models import LOOKS, Offer
from .pictures import Pictures
from .sessions import Session, Sessions, suffix_of
from .work import (
    MASKS,
    Repairers,
    find_in_photo,
    mask_file,
    open_photo,
    repair_photo,
    take_mask,
)

#: Seconds between two looks for what nobody uses any more.
SWEEP = 30


class Server:
    """What all requests share."""

    def __init__(self, sessions: Sessions, jobs: Jobs, repairers: Repairers, offers: tuple[Offer, ...]) -> None:
        self.sessions, self.jobs, self.repairers, self.offers = sessions, jobs, repairers, offers
        self.limits, self.files, self.pictures = sessions.limits, page_files(), Pictures(sessions)

    def app(self, host: str) -> Starlette:
        """The application, for a server that listens on this address."""
        of_photo = "/api/photos/{id}"
        routes = [
            Route("/", self.page),
            Route("/page/{name}", self.page),
            Route("/api/options", self.options),
            Route("/api/photos", self.upload, methods=["POST"]),
            Route(of_photo, self.state),
            Route(f"{of_photo}/find", self.find, methods=["POST"]),
            Route(f"{of_photo}/found", self.pictures.found),
            Route(f"{of_photo}/mask", self.pictures.mask),
            Route(f"{of_photo}/mask", self.send_mask, methods=["POST"]),
            Route(f"{of_photo}/marks", self.marks, methods=["POST"]),
            Route(f"{of_photo}/repair", self.repair, methods=["POST"]),
            Route(f"{of_photo}/cancel", self.cancel, methods=["POST"]),
            Route(f"{of_photo}/close", self.close, methods=["POST"]),
            Route(f"{of_photo}/view", self.pictures.view),
            Route(f"{of_photo}/certainty", self.pictures.certainty),
            Route(f"{of_photo}/repaired", self.pictures.repaired),
        ]
        handlers: dict[Any, Callable[..., Awaitable[Response]]] = {
            PhotomendError: failed,
            OSError: failed,
            HTTPException: refused,
        }
        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard, host=host)],
            exception_handlers=handlers,
            lifespan=self.lifespan,
        )

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Look after forgotten photos as long as the server runs, and close all of them at its end."""

        async def sweep() -> None:
            while True:
                await asyncio.sleep(SWEEP)
                self.sessions.sweep()

        sweeping = asyncio.create_task(sweep())
        yield
        sweeping.cancel()
        self.jobs.close()
        self.sessions.close_all()

    async def page(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in self.files:
            raise HTTPException(404)
        content, kind = self.files[name]
        return Response(content, media_type=kind)

    async def options(self, request: Request) -> Response:
        """What the page has to know before there is a photo."""
        return JSONResponse(
            {
                "version": __version__,
                "models": [offer._asdict() for offer in self.offers],
                "looks": [look._asdict() for look in LOOKS],
                "limits": {
                    "upload": self.limits.upload,
                    "pixels": self.limits.pixels,
                    "minutes": self.limits.minutes,
                },
            }
        )

    async def upload(self, request: Request) -> Response:
        owner = request.client.host if request.client else ""
        session = self.sessions.open(owner, request.query_params.get("name", ""))
        try:
            arrived = await receive(request, session.file, self.limits, lambda: self.sessions.find(session.id))
        except (PhotomendError, OSError):
            self.sessions.close(session)
            raise
        if not arrived:
            self.sessions.close(session)
            return Response(status_code=400)
        self._start(session, "open", partial(open_photo, session, self.limits))
        return JSONResponse({"id": session.id}, 201)

    async def state(self, request: Request) -> Response:
        session = self._session(request)
        job = session.job
        return JSONResponse(
            {
                "job": None if job is None else self._about(job, session),
                "photo": session.photo,
                "result": session.result,
                "found": session.found,
                "mask": session.mask,
            }
        )

    def _about(self, job: Job, session: Session) -> dict[str, Any]:
        return {
            "kind": job.kind,
            "state": "cancelled" if job.unwanted.is_set() else job.state,
            "ahead": self.jobs.ahead(job),
            "done": job.done,
            "total": job.total,
            "seconds": round(job.seconds, 1),
            "problem": session.named(job.problem),
        }

    async def find(self, request: Request) -> Response:
        session = self._idle(request)
        self._start(session, "find", partial(find_in_photo, session))
        return JSONResponse({}, 202)

    async def send_mask(self, request: Request) -> Response:
        session, name = self._idle(request), request.query_params.get("name", "")
        if session.mask is not None and session.mask["number"] >= MASKS:
            raise PhotomendError(f"{MASKS} masks have been sent for this photo; save the marks, and open it anew")
        path = session.folder / f"mask{suffix_of(name)}"
        if not await receive(request, path, self.limits, lambda: self.sessions.find(session.id)):
            return Response(status_code=400)
        self._start(self._idle(request), "mask", partial(take_mask, session, path, Path(name).name or "the mask"))
        return JSONResponse({}, 202)

    async def marks(self, request: Request) -> Response:
        session = self._idle(request)
        content = await run_in_threadpool(mask_file, session, await read_json(request))
        return Response(content, media_type="image/png")

    async def repair(self, request: Request) -> Response:
        session = self._idle(request)
        wanted = await read_json(request)
        for kind, offers in (("model", self.offers), ("look", LOOKS)):
            if wanted.get(kind) not in {offer.name for offer in offers}:
                raise PhotomendError(f"{kind}: {wanted.get(kind)!r:.80} isn't offered here")
        self._start(session, "repair", partial(repair_photo, session, wanted, self.repairers))
        return JSONResponse({}, 202)

    def _start(self, session: Session, kind: str, work: Callable[[Job], object]) -> None:
        session.job = self.jobs.add(Job(session.owner, kind, work))

    async def cancel(self, request: Request) -> Response:
        session = self._session(request)
        if session.job is not None:
            self.jobs.cancel(session.job)
        return JSONResponse({})

    async def close(self, request: Request) -> Response:
        self.sessions.close(self._session(request))
        return JSONResponse({})

    def _idle(self, request: Request) -> Session:
        """The session asked for, if it has a photo that nothing is done with."""
        session = self._session(request)
        if session.photo is None:
            raise HTTPException(409, "the photo hasn't been read yet")
        if session.job is not None and not session.job.over.is_set() and not session.job.unwanted.is_set():
            raise HTTPException(409, "this photo is being worked on already")
        return session

    def _session(self, request: Request) -> Session:
        return self.sessions.find(request.path_params["id"])
