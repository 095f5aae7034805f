"""Who may talk to the server: the page that it has sent itself, in a browser that asked for it by its own address.

Any web page can send requests to programs on this machine. Two checks keep it out:

- `Host` must be an address of this server. A page of evil.example whose name is made to point to 127.0.0.1 (DNS
  rebinding) still asks for evil.example.
- A request that changes something must come from our own page, which browsers confirm in `Origin`, and no other site
  may load what is answered (`Sec-Fetch-Site`).

Sources: OWASP, *Cross-Site Request Forgery Prevention Cheat Sheet*; W3C, *Fetch Metadata Request Headers*; Jackson et
al., *Protecting browsers from DNS rebinding attacks* (2007).
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The page loads nothing but its own files, and stands in no frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
READING = ("GET", "HEAD")


class Guard:
    """Middleware that refuses requests of others, and gives each answer the headers that protect it.

    Args:
        app: what is behind it.
        host: the address that the server listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app, self.local = app, is_local(host)
        self.names = {"localhost"} if self.local else {"localhost", socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        problem = self.problem(scope["method"], Headers(scope=scope)) if scope["type"] == "http" else "no websockets"
        if problem:
            await JSONResponse({"error": problem}, 403)(scope, receive, send_protected)
        else:
            await self.app(scope, receive, send_protected)

    def problem(self, method: str, headers: Headers) -> str:
        """Why a request is refused; "" if it isn't."""
        host = headers.get("host", "")
        if not self.knows(host):
            return "this server doesn't go by that name"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if method not in READING and origin not in (f"http://{host}", f"https://{host}"):
            return "this request came from another site"
        navigates = method in READING and headers.get("sec-fetch-mode") == "navigate"
        return "this request came from another site" if site not in ("none", "same-origin") and not navigates else ""

    def knows(self, host: str) -> bool:
        """Whether a name with or without a port is one of this server's: its own, or an address in numbers."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback if self.local else True


def is_local(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
