"""The board of machines: every machine as a card, kept current."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
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
from hatang_collector.web.sites import UNPLACED, site_key
from hatang_collector.web.stream import PER_PAGE, Mark, Only
from hatang_collector.web.summary import matches

router = APIRouter(include_in_schema=False)

MOST_CHARTS: Final = 30
NOWHERE: Final = "-"
"""What stands for "at no site" in the address of a filtered page; no code is a single hyphen."""


@router.get("/machines")
def board(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    q: Annotated[str, Query(max_length=100)] = "",
    role: Literal["", "pc", "probe"] = "",
    state: State | Literal[""] = "",
    site: Annotated[str, Query(max_length=200)] = "",
    page_number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """One page of cards, worst state first; ``site`` is a code, or "-" for the machines at no site."""
    services = services_of(request)
    feed = stream.feed_of(request)
    mark = feed.mark
    everyone = feed.summaries()
    found = [one for one in everyone if matches(one, q, role, state)]
    place = ""
    if site:
        key = UNPLACED if site == NOWHERE else site_key(site)
        at = feed.cards_of_machines()
        found = [one for one in found if at.get(one.agent) == key]
        here = feed.site(key)
        place = here.ground.title if here and here.ground else site
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
        "site": site,
        "nowhere": NOWHERE,
        "place": place,
        "number": number,
        "pages": pages,
        "whole": not (q or role or state or site) and pages == 1,
        "address": services.address or str(request.base_url).rstrip("/"),
        "newest_ms": feed.newest_ms(),
    }
    return page(request, "machines_board.html", user, values)


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


@router.get("/board/cards", dependencies=[Depends(VIEWER)])
def changed_cards(request: Request, since: Mark = "", only: Only = "") -> JSONResponse:
    """What changed since a mark, for pages whose stream is broken."""
    language, wanted = language_of(request), stream.wanted(only)
    return stream.catch_up(request, since, lambda change: _payload(request, change, language, wanted))


@router.get("/board/events", dependencies=[Depends(VIEWER)])
async def card_events(request: Request, since: Mark = "", only: Only = "") -> StreamingResponse:
    """What changes, as it changes; with ``only``, of these machines and the tiles."""
    language, wanted = language_of(request), stream.wanted(only)
    return stream.follow(request, since, lambda change: _payload(request, change, language, wanted))


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
