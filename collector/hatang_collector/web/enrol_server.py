"""The small HTTPS listener that new machines enrol at, apart from the pages.

It serves two things, to anybody: our authority's certificate, which a machine holds against the pin
it was given, and the enrolment itself, where the token is the right. It runs in a thread with a loop
of its own, so that nothing that happens here slows down the pages, and pages may stay on loopback.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from hatang_agent.wire.messages import EnrolReply, EnrolRequest
from hatang_collector.clock import NowMs
from hatang_collector.web.api import enrol

log = logging.getLogger(__name__)

CONNECTION_S: Final = 45.0
"""How long one connection may last; an agent waits 30 s for its answer."""
MAX_CONNECTIONS: Final = 200
"""Further ones are told to come back (503); an office has its machines enrolled one by one."""
GRACE_S: Final = 5


def create_app(ca_pem: str, give: Callable[[EnrolRequest, int], EnrolReply], now_ms: NowMs) -> Starlette:
    """The two routes. ``give(request, now_ms)`` raises ``broker.enrol.EnrolRefused``."""

    async def answer(request: Request) -> JSONResponse:
        return await enrol.answer(request, give, now_ms)

    async def authority(_: Request) -> Response:
        return Response(ca_pem, media_type="application/x-pem-file")

    return Starlette(
        routes=[
            Route("/api/v1/enrol", answer, methods=["POST"]),
            Route("/ca.pem", authority, methods=["GET"]),
        ]
    )


class EnrolServer:
    """Serves :func:`create_app` on a listening socket until it is stopped.

    ``files`` are certificate and key. The socket stays the caller's. A connection ends after
    ``connection_s`` seconds whatever its other end does, so that slow ones cannot pile up.
    """

    def __init__(
        self,
        app: Starlette,
        listener: socket.socket,
        files: tuple[Path, Path],
        *,
        connection_s: float = CONNECTION_S,
    ) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app,
            http=limited(connection_s),
            ws="none",
            lifespan="off",
            ssl_certfile=files[0],
            ssl_keyfile=files[1],
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=1,
            timeout_graceful_shutdown=GRACE_S,
            log_config=None,
            access_log=False,
            server_header=False,
        )
        config.load()  # a certificate that cannot be used is told before anything runs
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="enrolment", daemon=True)

    def start(self) -> None:
        """Begin to answer; connections are taken from the moment the socket listens."""
        self._thread.start()

    def stop(self) -> None:
        """End within some seconds. May be called twice, and without a start."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(GRACE_S * 2)

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])
        if not self._server.should_exit:
            log.error("the enrolment listener has ended; restart the collector to enrol machines")


def limited(seconds: float) -> type[asyncio.Protocol]:
    """An HTTP/1.1 protocol whose connections last so long at most."""

    class Limited(H11Protocol):
        """Uvicorn itself waits for ever for a request that does not end."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            end = self.loop.call_later(seconds, transport.abort)
            self._end = end

        def connection_lost(self, exc: Exception | None) -> None:
            self._end.cancel()
            super().connection_lost(exc)

    return Limited
