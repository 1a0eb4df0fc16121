"""The tree of units on a day, and one unit with its history and its sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse

from hatang_collector.domain import dated
from hatang_collector.domain.estate import MACHINE_KINDS, Estate, Site, Succession, Unit
from hatang_collector.domain.protection import Counted, Question
from hatang_collector.domain.totals import Sums, Totals
from hatang_collector.domain.tree import Resolved, Tree
from hatang_collector.ledger.users import User
from hatang_collector.sheets.labels import label
from hatang_collector.web.days import asked_day, write_day
from hatang_collector.web.estate import EstateNow, estate_of
from hatang_collector.web.format import Language
from hatang_collector.web.problems import Refusal
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.sites import ON_CARD
from hatang_collector.web.summary import folded
from hatang_collector.web.told import words
from hatang_collector.web.unit_figures import MachineFigures, unit_figures

router = APIRouter(prefix="/units", include_in_schema=False)

MOST: Final = 600
"""Rows of one page; a larger tree shows its upper levels, each leading further."""

Day = Annotated[str, Query(max_length=10)]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree. ``more`` is how many units below it are not shown."""

    unit: Unit
    depth: int
    people: int
    machines: int
    sites: int
    links: int
    more: int = 0


def machines_of(totals: Totals) -> int:
    """Declared computers in use."""
    return totals.count(MACHINE_KINDS)


def walk(tree: Tree, tops: list[Unit], day: date) -> list[tuple[Unit, int, int]]:
    """Units with their depth in page order, and how many below each are left out.

    As many levels are shown as fit on a page, and always the first two.
    """
    levels: list[list[Unit]] = [tops]
    count, seen = len(tops), {unit.code for unit in tops}
    while levels[-1]:
        below = [child for unit in levels[-1] for child in tree.children(unit.code, day)]
        below = [unit for unit in below if unit.code not in seen]
        seen |= {unit.code for unit in below}
        if len(levels) >= 2 and count + len(below) > MOST:
            break
        levels.append(below)
        count += len(below)
    shown = {unit.code for level in levels for unit in level}
    found: list[tuple[Unit, int, int]] = []
    met: set[str] = set()
    waiting = [(unit, 0) for unit in reversed(tops)]
    while waiting:
        unit, depth = waiting.pop()
        if unit.code in met:
            continue
        met.add(unit.code)
        children = tree.children(unit.code, day)
        hidden = 0 if all(child.code in shown for child in children) else len(children)
        found.append((unit, depth, hidden))
        if not hidden:
            waiting += [(child, depth + 1) for child in reversed(children)]
    return found


@router.get("")
def units(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    on: Day = "",
    q: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """The tree as of a day, with what each unit has."""
    now = estate_of(request)
    day = asked_day(on, now.today)
    sums = Sums(now.estate, now.tree, day)
    found = walk(now.tree, now.tree.roots(day), day)
    if q:
        wanted = folded(q)
        every = {unit.code: unit for unit in now.estate.units if now.tree.unit(unit.code, day) == unit}
        hits = [unit for unit in every.values() if wanted in folded(f"{unit.name} {unit.code}")]
        found = [(unit, 0, 0) for unit in hits[:MOST]]
    values = {
        "rows": [_row(sums, *one) for one in found],
        "known": len(now.estate.units),
        "on": write_day(day),
        "today": day == now.today,
        "q": q,
    }
    return page(request, "units.html", user, values)


def _row(sums: Sums, unit: Unit, depth: int, more: int) -> Row:
    totals = sums.of(unit.code)
    return Row(unit, depth, totals.people(), machines_of(totals), len(totals.sites), len(totals.links), more)


@dataclass(frozen=True, slots=True)
class Structure:
    """A unit seen through the tree of a day, in which another one may stand for it."""

    day: date
    resolved: Resolved
    totals: Totals | None


def structure_of(now: EstateNow, code: str, day: date, structure: date) -> Structure:
    """The sums of whoever stands for ``code`` in the tree of ``structure``; no totals when nobody does."""
    resolved = now.tree.resolve(code, structure)
    if resolved.unit is None:
        return Structure(structure, resolved, None)
    return Structure(structure, resolved, Sums(now.estate, now.tree, day, structure).of(resolved.unit))


@router.get("/{code:path}")
def unit(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    code: str,
    on: Day = "",
    structure: Day = "",
) -> HTMLResponse:
    """One unit: where it stands in the tree, what became of it, and its sums of a day."""
    now = estate_of(request)
    versions = now.tree.versions(code)
    if not versions:
        step = "find it on the page of units"
        raise Refusal(HTTPStatus.NOT_FOUND, f"no unit has the code {code}", step, "unknown_unit")
    day = asked_day(on, now.today)
    shape = asked_day(structure, day)
    language = language_of(request)
    seen = structure_of(now, code, day, shape)
    then = now.tree.unit(code, shape)
    values = {
        "unit": then or versions[-1],
        "there": then is not None,
        "versions": [(one, now.tree.name_of(one.parent, one.valid_from)) for one in versions],
        "chain": list(reversed(now.tree.chain(code, shape)))[:-1],
        "children": now.tree.children(code, shape),
        "before": [_step(now.tree, one, one.old) for one in now.tree.predecessors(code)],
        "after": [_step(now.tree, one, one.new) for one in now.tree.successors(code)],
        "kind_of": lambda kind: label(kind, language),
        "seen": seen,
        "stands": now.tree.name_of(seen.resolved.unit, shape) if seen.resolved.unit else "",
        "candidates": [(one, now.tree.name_of(one, shape)) for one in seen.resolved.candidates if one],
        "groups": {one.code: one.name for one in now.estate.staff_groups},
        "sites": _sites(now.estate, seen.totals, shape),
        "machines": machines_of(seen.totals) if seen.totals else 0,
        "on": write_day(day),
        "structure": write_day(shape),
        "same_day": day == shape,
        "write_day": write_day,
        **_figures(request, now, seen, day, language),
    }
    return page(request, "unit.html", user, values)


def _figures(
    request: Request, now: EstateNow, seen: Structure, day: date, language: Language
) -> dict[str, Any]:
    """What ``unit_figures.html`` needs; no figures of a unit that nothing stands for, or of a day to come."""
    if seen.totals is None or seen.resolved.unit is None or day > now.today:
        return {"figures": None}
    found = unit_figures(services_of(request), now, seen.resolved.unit, day, seen.day)
    asked = [one.question for one in found.machines.asked]
    wanted = [*ON_CARD[:1], *asked] if ON_CARD[0] not in asked else asked
    return {"figures": found, "questions": wanted, "by_question": _by_question, **words(language)}


def _by_question(machines: MachineFigures, question: Question) -> Counted | None:
    return next((one for one in machines.asked if one.question == question), None)


def _step(tree: Tree, one: Succession, other: str) -> tuple[Succession, str, str]:
    return one, other, tree.name_of(other, one.on)


def _sites(estate: Estate, totals: Totals | None, day: date) -> list[Site]:
    """The sites of the sums, as they are on the day, else as they last were."""
    wanted = set(totals.sites) if totals else set()
    versions = sorted(estate.sites, key=lambda one: one.valid_from)
    named = {site.code: site for site in versions}
    named |= {site.code: site for site in dated.on(versions, day)}
    return [named[code] for code in sorted(wanted & named.keys())]
