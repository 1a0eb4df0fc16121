"""Units as they are on a day."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from hatang_collector.domain.estate import Unit
from hatang_collector.domain.tree import Tree
from hatang_collector.web.api import estate_models as models
from hatang_collector.web.estate import estate_of
from hatang_collector.web.security import VIEWER
from hatang_collector.web.summary import folded

router = APIRouter(prefix="/api/v1/units", tags=["units"])


@router.get("", summary="List the units of a day", dependencies=[Depends(VIEWER)])
def list_units(
    request: Request,
    on: Annotated[date | None, Query(description="the day; default: today")] = None,
    parent: Annotated[
        str | None, Query(max_length=200, description="only units right below this one; empty: the roots")
    ] = None,
    q: Annotated[
        str, Query(max_length=100, description="words of code, name or kind; marks may be left out")
    ] = "",
    page: Annotated[int, Query(ge=1, le=100_000, description="from 1")] = 1,
    per_page: Annotated[int, Query(ge=1, le=500, description="at most 500")] = 100,
) -> models.UnitList:
    """Units that hold on the day, each before those below it, in official order among its siblings."""
    now = estate_of(request)
    day = on or now.today
    words = folded(q).split()
    found = [one for one in _chosen(now.tree, day, parent) if _matches(one, words)]
    start = (page - 1) * per_page
    return models.UnitList(
        on=day,
        total=len(found),
        page=page,
        per_page=per_page,
        units=[
            models.UnitModel.model_validate(one, from_attributes=True)
            for one in found[start : start + per_page]
        ],
    )


def _chosen(tree: Tree, day: date, parent: str | None) -> list[Unit]:
    if parent is not None:
        return tree.children(parent, day) if parent else tree.roots(day)
    found: dict[str, Unit] = {}
    waiting = list(reversed(tree.roots(day)))
    while waiting:
        unit = waiting.pop()
        if unit.code not in found:
            found[unit.code] = unit
            waiting += reversed(tree.children(unit.code, day))
    return list(found.values())


def _matches(unit: Unit, words: list[str]) -> bool:
    text = folded(f"{unit.code} {unit.name} {unit.kind}")
    return all(word in text for word in words)
