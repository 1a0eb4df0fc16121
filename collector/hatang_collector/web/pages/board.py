"""The board: every machine as a card, kept current."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse

from hatang_agent.wire.topics import AGENT_PATTERN
from hatang_collector.ledger.users import User
from hatang_collector.web import i18n, sparks, stream
from hatang_collector.web.cards import Cards, tiles
from hatang_collector.web.feed import Change
from hatang_collector.web.format import Language
from hatang_collector.web.freshness import State
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.summary import matches

router = APIRouter(include_in_schema=False)

PER_PAGE: Final = 60
MOST_CHARTS: Final = 30

Only = Annotated[str, Query(max_length=PER_PAGE * 17)]
Mark = Annotated[str, Query(max_length=40)]


@router.get("/")
def board(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    q: Annotated[str, Query(max_length=100)] = "",
    role: Literal["", "pc", "probe"] = "",
    state: State | Literal[""] = "",
    page_number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """One page of cards, worst state first."""
    services = services_of(request)
    feed = stream.feed_of(request)
    mark = feed.mark
    everyone = feed.summaries()
    found = [one for one in everyone if matches(one, q, role, state)]
    pages = max(1, -(-len(found) // PER_PAGE))
    number = min(page_number, pages)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    language, now_ms = language_of(request), services.now_ms()
    cards: Cards = request.app.state.cards
    values = {
        "mark": mark,
        "tiles": tiles(everyone, language, now_ms),
        "cards": [cards.card(one, language, now_ms) for one in shown],
        "total": len(everyone),
        "found": len(found),
        "q": q,
        "role": role,
        "state": state,
        "number": number,
        "pages": pages,
        "whole": not (q or role or state) and pages == 1,
        "address": services.address or str(request.base_url).rstrip("/"),
        "newest_ms": feed.newest_ms(),
    }
    return page(request, "board.html", user, values)


def _wanted(only: str) -> frozenset[str] | None:
    """The machines a page shows, None for all of them."""
    return frozenset(only.split(",")) if only else None


def _payload(
    request: Request, change: Change, language: Language, only: frozenset[str] | None
) -> dict[str, Any]:
    """What a page needs to catch up: cards that changed, machines that are gone, the tiles."""
    now_ms = services_of(request).now_ms()
    feed = stream.feed_of(request)
    cards: Cards = request.app.state.cards
    cards.forget(change.gone)
    changed = [one for one in change.changed if only is None or one.agent in only]
    return {
        "mark": change.mark,
        "now_ms": now_ms,
        "newest_ms": feed.newest_ms(),
        "tiles": tiles(feed.summaries(), language, now_ms),
        "cards": [
            {"agent": one.agent, "sort": one.sort, "html": cards.card(one, language, now_ms)}
            for one in changed
        ],
        "gone": [agent for agent in change.gone if only is None or agent in only],
    }


def _restarted(request: Request, since: str) -> dict[str, Any] | None:
    """What a page is told that was made by a former process: load yourself again, and all is new."""
    if stream.feed_of(request).knows(since):
        return None
    return {"now_ms": services_of(request).now_ms(), "restarted": True}


@router.get("/board/cards", dependencies=[Depends(VIEWER)])
def changed_cards(request: Request, since: Mark = "", only: Only = "") -> JSONResponse:
    """What changed since a mark, for pages whose stream is broken."""
    restarted = _restarted(request, since)
    if restarted is not None:
        return JSONResponse(restarted)
    change = stream.feed_of(request).since(since)
    return JSONResponse(_payload(request, change, language_of(request), _wanted(only)))


@router.get("/board/events", dependencies=[Depends(VIEWER)])
async def card_events(request: Request, since: Mark = "", only: Only = "") -> StreamingResponse:
    """What changes, as it changes; with ``only``, of these machines and the tiles."""
    feed, language, wanted = stream.feed_of(request), language_of(request), _wanted(only)
    now_ms = services_of(request).now_ms
    seen = {"tiles": ""}

    async def encode(change: Change) -> str:
        payload = await run_in_threadpool(_payload, request, change, language, wanted)
        if not payload["cards"] and not payload["gone"] and payload["tiles"] == seen["tiles"]:
            return ""
        seen["tiles"] = payload["tiles"]
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))

    def heartbeat() -> str:
        present = {"now_ms": now_ms(), "newest_ms": feed.newest_ms()}
        return stream.event("beat", json.dumps(_restarted(request, since) or present))

    return stream.respond(request, since, encode, heartbeat)


@router.get("/board/charts", dependencies=[Depends(VIEWER)])
def small_charts(
    request: Request, agents: Annotated[str, Query(max_length=MOST_CHARTS * 17)]
) -> JSONResponse:
    """The small charts of a few machines; asked for apart, so that no page waits for the store."""
    services = services_of(request)
    now_ms = services.now_ms()
    texts = i18n.texts(language_of(request))
    keeper: sparks.Sparks = request.app.state.sparks
    known = {one.agent: one for one in stream.feed_of(request).summaries()}
    answer: dict[str, dict[str, str]] = {}
    for agent in agents.split(",")[:MOST_CHARTS]:
        if not AGENT_PATTERN.fullmatch(agent) or agent not in known:
            continue
        network = known[agent].network
        since_ms = known[agent].enrolled_ms
        lines = keeper.lines(agent, network.interface if network else "", now_ms, since_ms)
        answer[agent] = sparks.pictures(lines, texts, now_ms, since_ms)
    return JSONResponse(answer)
