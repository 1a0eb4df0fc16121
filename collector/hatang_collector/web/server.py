"""Runs the application under uvicorn so that it, and we, stop cleanly."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from hatang_collector.web.feed import Feed

GRACE_S = 5


class WebServer(uvicorn.Server):
    """A uvicorn server that ends the event streams first and leaves the way out to its caller.

    The original would wait for open streams for ever, and raises the signal once more when it has
    ended, which would skip the closing of journal, ledger and broker.
    """

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask the server to end on SIGINT, SIGTERM and SIGHUP; a second one changes nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in numbers:
            signal.signal(number, self._end)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)  # what is left is short and must not be cut off

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the streams, then everything else."""
        self._feed.close()
        await super().shutdown(sockets)


def build_server(app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> WebServer:
    """A server for :func:`create_app`'s application; ``run()`` it in the main thread.

    Port 0 takes a free one; ``run(sockets=[…])`` takes listening sockets instead of both. Proxies
    on this machine are believed about scheme and client.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
    )
    return WebServer(config, app.state.feed)
