"""Figures of units, each with what it counts, how it is known and how completely."""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request

from hatang_collector.web.api import estate_models as models
from hatang_collector.web.api import figure_models
from hatang_collector.web.estate import EstateNow, estate_of
from hatang_collector.web.problems import Problem, Refusal
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.sites import ON_CARD
from hatang_collector.web.unit_figures import MachineFigures, UnitFigures, unit_figures

router = APIRouter(prefix="/api/v1/units", tags=["units"])

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "the unit is not there in the structure asked for"}
}


@router.get(
    "/{code:path}/figures",
    summary="Figures of a unit with all below it",
    dependencies=[Depends(VIEWER)],
    responses=_ANSWERS,
)
def figures_of_unit(
    request: Request,
    code: Annotated[str, Path(max_length=200, description="code of the unit", examples=["20001"])],
    on: Annotated[date | None, Query(description="day of the data; default: today, never later")] = None,
    structure: Annotated[
        date | None, Query(description="day whose tree of units is used; default: the day of the data")
    ] = None,
) -> models.UnitFiguresModel:
    """Staff, machines now and in the 30 days that end with the day, coverage, and what is not attributed."""
    now = estate_of(request)
    day = on or now.today
    if day > now.today:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"on: {day} is still to come",
            "ask for today or a day before",
            page="invalid",
        )
    tree_day = structure or day
    try:
        found = unit_figures(services_of(request), now, code, day, tree_day)
    except LookupError:
        raise _not_there(now, code, tree_day) from None
    return _model(found, now.tree.name_of(code, tree_day))


def _not_there(now: EstateNow, code: str, day: date) -> Refusal:
    stands = now.tree.resolve(code, day)
    known = (stands.unit,) if stands.unit else tuple(one for one in stands.candidates if one)
    step = (
        f"ask for what stands for it there: {', '.join(known)}"
        if known
        else f"list the units of that day with GET /api/v1/units?on={day}"
    )
    return Refusal(HTTPStatus.NOT_FOUND, f"no unit has the code {code} on {day}", step, page="invalid")


def _machines(figures: MachineFigures) -> models.MachineFiguresModel:
    return models.MachineFiguresModel(
        now=figure_models.FigureModel.of(figures.now) if figures.now else None,
        window=figure_models.FigureModel.of(figures.window),
        asked=figure_models.AskedModel.every(figures.asked, ON_CARD[0]),
    )


def _model(found: UnitFigures, name: str) -> models.UnitFiguresModel:
    declared = [
        models.UnattributedModel(
            noun=one.noun,
            key=list(one.key),
            unit=one.unit,
            count=one.count,
            why=one.why,
            candidates=list(one.candidates),
        )
        for one in found.totals.unattributed
    ]
    lost = [
        models.UnattributedModel(
            noun="machines", key=[one.agent], unit="", count=1, why=one.why, candidates=list(one.candidates)
        )
        for one in found.lost
    ]
    return models.UnitFiguresModel(
        unit=found.unit,
        name=name,
        on=found.on,
        structure=found.structure,
        machines=_machines(found.machines),
        groups=[
            models.GroupModel(
                staff_group=one.staff_group,
                name=one.name,
                people=one.people,
                machines=_machines(one.machines),
            )
            for one in found.groups
        ],
        sites=len(found.totals.sites),
        links=len(found.totals.links),
        unattributed=declared + lost,
        unplaced_machines=found.unplaced,
    )
