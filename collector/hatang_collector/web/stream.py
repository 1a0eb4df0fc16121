"""Server-sent events (HTML Living Standard, section 9.2): what both event streams share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.responses import StreamingResponse

from hatang_collector.web.feed import Change, Feed
from hatang_collector.web.problems import Refusal
from hatang_collector.web.security import services_of

HEARTBEAT_S: Final = 15.0
LONGEST_MS: Final = 600_000
"""A stream ends after ten minutes, so that the caller's rights are looked at again."""

MOST: Final = 300
"""How many streams may be open at once; the next one is told to come back."""

Encoder = Callable[[Change], Awaitable[str]]
"""Gives the data of an event, empty when the change is of no interest to this caller."""


def event(kind: str, data: str, mark: str = "") -> str:
    """One event; ``data`` must be a single line."""
    return (f"id: {mark}\n" if mark else "") + f"event: {kind}\ndata: {data}\n\n"


def feed_of(request: Request) -> Feed:
    """The application's feed."""
    feed: Feed = request.app.state.feed
    return feed


def respond(request: Request, since: str, encode: Encoder, heartbeat: Callable[[], str]) -> StreamingResponse:
    """A stream of what changes after ``since`` (a browser that comes back says it by Last-Event-ID)."""
    feed = feed_of(request)
    if feed.streams >= MOST or feed.closed:
        step = "ask again in a minute; the page keeps asking by itself"
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{MOST} streams are open", step, retry_after_s=60)
    mark = request.headers.get("last-event-id") or since or feed.mark
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    body = _events(request, feed, mark, encode, heartbeat)
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def _events(
    request: Request, feed: Feed, mark: str, encode: Encoder, heartbeat: Callable[[], str]
) -> AsyncIterator[str]:
    now_ms = services_of(request).now_ms
    end_ms = now_ms() + LONGEST_MS
    feed.streams += 1
    try:
        yield "retry: 3000\n\n" + heartbeat()
        while now_ms() < end_ms:
            news = await feed.wait(mark, HEARTBEAT_S)
            if feed.closed:
                return
            if not news:
                yield heartbeat()
                continue
            change = feed.since(mark)
            mark = change.mark
            if data := await encode(change):
                yield event("machines", data, mark)
    finally:
        feed.streams -= 1
