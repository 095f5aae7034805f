"""`photomend app`: photos repaired on a web page."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import webbrowser

import click

from ...core import PhotomendError
from ..options import runtime_options, set_up_runtime
from ..web.limits import MEBIBYTE, Limits


@click.command("app")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="The port; 0 takes a free one."
)
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@click.option("--model", help="A model's name, a run folder or a weights file, to be offered first.")
@click.option(
    "--max-upload", type=click.IntRange(1), default=500, show_default=True, metavar="MB", help="The largest file."
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=Limits.pixels,
    show_default=True,
    help="The most pixels of a photo that is read, told from its header before it is decoded.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    metavar="MINUTES",
    help="When a photo that nobody uses is forgotten.",
)
@runtime_options
def command(
    host: str,
    port: int,
    show: bool,
    model: str | None,
    max_upload: int,
    max_pixels: int,
    keep: int,
    device: str,
    threads: int | None,
) -> int:
    """Repair photos on a web page: mark the damage, compare, download.

    Prints the page's address and serves it until Ctrl-C. Only this machine can reach it, unless --host says otherwise;
    photos stay in a temporary folder of the server, and the page asks for nothing from anywhere else.

    Needs the extra `app`: pip install 'photomend[app]'

    \b
    photomend app --open
    photomend app --host 0.0.0.0 --port 9000     (for the local network: everybody there can use it)
    """
    try:
        import uvicorn

        from ..web.server import Server
    except ModuleNotFoundError as error:
        raise PhotomendError("app needs Starlette and uvicorn: pip install 'photomend[app]'") from error
    from ..web.guard import is_local
    from ..web.jobs import Jobs
    from ..web.models import offered
    from ..web.sessions import Sessions, own_folder
    from ..web.work import Repairers

    repairers = Repairers(set_up_runtime(device, threads))
    offers = offered(model)
    # One that isn't there is said at once, and the first repair needn't wait for it.
    repairers.get(offers[0].name, offers[0].look)
    limits = Limits(max_upload * MEBIBYTE, max_pixels, minutes=keep)
    with listen(host, port) as listener, own_folder() as folder:
        jobs = Jobs()
        app = Server(Sessions(folder, jobs, limits), jobs, repairers, offers).app(host)
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="on", timeout_graceful_shutdown=3
        )
        address = address_of(listener)
        click.echo(f"photomend app: {address} (Ctrl-C ends it)")
        if not is_local(host):
            click.echo("photomend app: everybody who can reach this machine can use it", err=True)
        if show:
            webbrowser.open(address)
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again when it has ended
            uvicorn.Server(settings).run(sockets=[listener])
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A socket on this address. Raises PhotomendError: it is in use, or none of this machine's."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:  # a name that isn't known has a negative number and words of its own
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        hint = "; --port 0 takes a free one" if error.errno == errno.EADDRINUSE else ""
        raise PhotomendError(f"can't listen on {host}, port {port} ({reason}){hint}") from error


def address_of(listener: socket.socket) -> str:
    """What to type into a browser."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
