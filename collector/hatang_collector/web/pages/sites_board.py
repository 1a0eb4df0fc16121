"""The board of sites, the first page: every office as a card, kept current."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse

from hatang_collector.ledger.users import Role, User
from hatang_collector.web import stream
from hatang_collector.web.cards import Cards
from hatang_collector.web.estate import EstateNow, estate_of
from hatang_collector.web.feed import Change
from hatang_collector.web.format import Language
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import VIEWER, services_of, suffices
from hatang_collector.web.sites import SITE_SYMBOLS, UNPLACED, SiteState, matches
from hatang_collector.web.stream import PER_PAGE, Mark, Only

router = APIRouter(include_in_schema=False)

MOST_UNITS: Final = 300
"""The list of units to choose from is cut at the level where it would grow longer than this."""


@router.get("/")
def board(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    q: Annotated[str, Query(max_length=100)] = "",
    unit: Annotated[str, Query(max_length=200)] = "",
    state: SiteState | Literal[""] = "",
    page_number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """One page of cards: what needs a look first, then in official order."""
    services = services_of(request)
    feed = stream.feed_of(request)
    mark = feed.mark
    everyone = feed.sites()
    found = [one for one in everyone if matches(one, q, unit, state)]
    pages = max(1, -(-len(found) // PER_PAGE))
    number = min(page_number, pages)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    language, now_ms = language_of(request), services.now_ms()
    cards: Cards = request.app.state.cards
    values = {
        "mark": mark,
        "tiles": cards.site_tiles(mark, everyone, language, now_ms),
        "cards": [cards.site(one, language, now_ms) for one in shown],
        "total": sum(1 for one in everyone if one.key != UNPLACED),
        "found": sum(1 for one in found if one.key != UNPLACED),
        "q": q,
        "unit": unit,
        "units": units_to_choose(estate_of(request), unit),
        "state": state,
        "states": SiteState,
        "site_symbols": SITE_SYMBOLS,
        "number": number,
        "pages": pages,
        "whole": not (q or unit or state) and pages == 1,
        "may_add": suffices(user.role, Role.ADMIN),
        "newest_ms": feed.newest_ms(),
    }
    return page(request, "sites_board.html", user, values)


def units_to_choose(now: EstateNow, chosen: str) -> list[tuple[str, str, int]]:
    """Units with others below them, in official order: code, name and depth. The chosen one is among them."""
    tree, today = now.tree, now.today
    level = [(one, 0) for one in tree.roots(today)]
    kept: dict[str, int] = {}
    while level and len(kept) + len(level) <= MOST_UNITS:
        level = [(one, depth) for one, depth in level if one.code not in kept]
        kept |= {one.code: depth for one, depth in level if tree.children(one.code, today)}
        level = [(child, depth + 1) for one, depth in level for child in tree.children(one.code, today)]
    found: list[tuple[str, str, int]] = []
    waiting = [one.code for one in reversed(tree.roots(today))]
    listed: set[str] = set()
    while waiting:
        code = waiting.pop()
        if code in kept and code not in listed:
            listed.add(code)
            found.append((code, tree.name_of(code, today), kept[code]))
            waiting += [one.code for one in reversed(tree.children(code, today))]
    if chosen and chosen not in listed:
        found.append((chosen, tree.name_of(chosen, today), 0))
    return found


def _payload(
    request: Request, change: Change, language: Language, only: frozenset[str] | None
) -> dict[str, Any]:
    """What a page needs to catch up: cards that changed, sites that are gone, the tiles."""
    now_ms = services_of(request).now_ms()
    feed = stream.feed_of(request)
    cards: Cards = request.app.state.cards
    cards.forget_sites(change.sites_gone)
    changed = [one for one in change.sites if only is None or one.key in only]
    return {
        "mark": change.mark,
        "now_ms": now_ms,
        "newest_ms": feed.newest_ms(),
        "tiles": cards.site_tiles(change.mark, feed.sites(), language, now_ms),
        "cards": [
            {"agent": one.key, "sort": one.sort, "html": cards.site(one, language, now_ms)} for one in changed
        ],
        "gone": [key for key in change.sites_gone if only is None or key in only],
    }


@router.get("/board/sites/cards", dependencies=[Depends(VIEWER)])
def changed_cards(request: Request, since: Mark = "", only: Only = "") -> JSONResponse:
    """What changed since a mark, for pages whose stream is broken."""
    language, wanted = language_of(request), stream.wanted(only)
    return stream.catch_up(request, since, lambda change: _payload(request, change, language, wanted))


@router.get("/board/sites/events", dependencies=[Depends(VIEWER)])
async def card_events(request: Request, since: Mark = "", only: Only = "") -> StreamingResponse:
    """What changes, as it changes; with ``only``, of these sites and the tiles."""
    language, wanted = language_of(request), stream.wanted(only)
    return stream.follow(request, since, lambda change: _payload(request, change, language, wanted))
