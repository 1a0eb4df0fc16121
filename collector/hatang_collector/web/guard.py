"""What every request passes before a route sees it: body size, origin of forms, security headers.

Plain ASGI, so that streams stay streams.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hatang_collector.web.problems import Refusal

MAX_BODY: Final = 64 * 1024
MAX_UPLOAD: Final = 16 * 1024 * 1024
MAX_DRAINED: Final = 16 * MAX_UPLOAD
_UPLOADS: Final = {"/registers/import": "/registers/import?too_large=true"}
"""Paths that take files, and where a browser that sent too much is told so."""

TOO_LARGE: Final = Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than this address takes", "send a smaller one"
)
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_RIGHT: Final = frozenset({"/api/v1/enrol"})
"""Paths where the body itself carries the right, so that a foreign page gains nothing."""

_CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def foreign_origin(method: str, path: str, headers: Headers) -> str | None:
    """Why a request that changes something looks sent by another site; None when it does not.

    Browsers say where a form comes from by ``Sec-Fetch-Site`` (W3C Fetch Metadata), older ones by
    ``Origin`` (RFC 6454) or ``Referer``. A request with an API token is not a browser's form.
    """
    if method in _SAFE_METHODS or path in _OWN_RIGHT or "authorization" in headers:
        return None
    site = headers.get("sec-fetch-site")
    if site is not None:
        return None if site in {"same-origin", "none"} else f"Sec-Fetch-Site is {site}"
    for name in ("origin", "referer"):
        value = headers.get(name)
        if value is not None:
            return None if urlsplit(value).netloc == headers.get("host") else f"{name} is {value[:100]}"
    return "the request does not say where it comes from (no Origin, no Referer)"


def is_loopback(client: str, headers: Headers) -> bool:
    """Whether a request comes from this very machine and not through a proxy on it."""
    forwarded = any(name in headers for name in ("x-forwarded-for", "forwarded", "x-real-ip"))
    return not forwarded and (client.startswith("127.") or client in {"::1", "::ffff:127.0.0.1"})


class Guard:
    """Refuses foreign forms and oversized bodies; adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; only HTTP is guarded."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        reason = foreign_origin(scope["method"], scope["path"], headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
                answer.setdefault("Cache-Control", "no-store")
            await send(message)

        if reason is not None:
            step = "open the page of this collector and send the form there"
            await _refuse(scope, send_with_headers, HTTPStatus.FORBIDDEN, reason, step)
            return
        length = headers.get("content-length", "0")
        most = MAX_UPLOAD if scope["path"] in _UPLOADS else MAX_BODY
        if not length.isdigit() or int(length) > most:
            if scope["path"] in _UPLOADS and "text/html" in headers.get("accept", ""):
                await _drain(receive)
                await _send_on(send_with_headers, _UPLOADS[scope["path"]])
                return
            await _refuse(scope, send_with_headers, TOO_LARGE.status, TOO_LARGE.cause, TOO_LARGE.next_step)
            return
        await self.app(scope, _counted(receive, most), send_with_headers)


def _counted(receive: Receive, most: int) -> Receive:
    """Refuses a body in pieces as soon as it is longer than ``most`` bytes."""
    seen = 0

    async def receive_some() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise TOO_LARGE
        return message

    return receive_some


async def _drain(receive: Receive) -> None:
    """Take a body in and forget it, within reason: a browser that is still sending reads no answer."""
    seen = 0
    while seen <= MAX_DRAINED:
        message = await receive()
        seen += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


async def _send_on(send: Send, place: str) -> None:
    headers = [(b"location", place.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": int(HTTPStatus.SEE_OTHER), "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, send: Send, status: HTTPStatus, cause: str, next_step: str) -> None:
    place = f"{scope['method']} {scope['path']}"
    body = json.dumps({"place": place, "cause": cause, "next_step": next_step}).encode()
    await send(
        {
            "type": "http.response.start",
            "status": int(status),
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})
