"""Server-sent events (HTML Living Standard, section 9.2): what all event streams share."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, StreamingResponse

from hatang_collector.web.feed import Change, Feed
from hatang_collector.web.problems import Refusal
from hatang_collector.web.security import services_of

HEARTBEAT_S: Final = 15.0
LONGEST_MS: Final = 600_000
"""A stream ends after ten minutes, so that the caller's rights are looked at again."""

MOST: Final = 300
"""How many streams may be open at once; the next one is told to come back."""

PER_PAGE: Final = 60
"""How many cards a board shows on one page."""

Mark = Annotated[str, Query(max_length=40)]
Only = Annotated[str, Query(max_length=PER_PAGE * 17)]
"""The cards a page shows, by id with commas; empty for all of them."""

Encoder = Callable[[Change], Awaitable[str]]
"""Gives the data of an event, empty when the change is of no interest to this caller."""

Payload = Callable[[Change], dict[str, Any]]
"""What a board needs to catch up: at least ``cards``, ``gone`` and ``tiles``. Runs in a thread."""


def event(kind: str, data: str, mark: str = "") -> str:
    """One event; ``data`` must be a single line."""
    return (f"id: {mark}\n" if mark else "") + f"event: {kind}\ndata: {data}\n\n"


def feed_of(request: Request) -> Feed:
    """The application's feed."""
    feed: Feed = request.app.state.feed
    return feed


def wanted(only: str) -> frozenset[str] | None:
    """The cards a page shows, None for all of them."""
    return frozenset(only.split(",")) if only else None


def catch_up(request: Request, since: str, payload: Payload) -> JSONResponse:
    """What changed since a mark, for boards whose stream is broken."""
    return JSONResponse(_restarted(request, since) or payload(feed_of(request).since(since)))


def follow(request: Request, since: str, payload: Payload) -> StreamingResponse:
    """What changes on a board, as it changes."""
    feed, now_ms = feed_of(request), services_of(request).now_ms
    seen = {"tiles": ""}

    async def encode(change: Change) -> str:
        content = await run_in_threadpool(payload, change)
        if not content["cards"] and not content["gone"] and content["tiles"] == seen["tiles"]:
            return ""
        seen["tiles"] = content["tiles"]
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    def heartbeat() -> str:
        present = {"now_ms": now_ms(), "newest_ms": feed.newest_ms()}
        return event("beat", json.dumps(_restarted(request, since) or present))

    return respond(request, since, encode, heartbeat)


def _restarted(request: Request, since: str) -> dict[str, Any] | None:
    """What a page is told that was made by a former process: load yourself again, and all is new."""
    if feed_of(request).knows(since):
        return None
    return {"now_ms": services_of(request).now_ms(), "restarted": True}


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
