"""Sites with their figures, as the first board shows them."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from hatang_collector.domain.matching import Matching
from hatang_collector.domain.protection import Question, Topic
from hatang_collector.web import stream
from hatang_collector.web.api import estate_models as models
from hatang_collector.web.api import figure_models
from hatang_collector.web.problems import Problem, Refusal
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.site_answers import MachineAnswers, machines_at
from hatang_collector.web.sites import (
    ON_CARD,
    UNPLACED,
    Ground,
    SiteState,
    SiteSummary,
    counts,
    matches,
    site_key,
)

router = APIRouter(prefix="/api/v1/sites", tags=["sites"])

_NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "no site of today has this code"}
}


@router.get("", summary="List sites, those without data first", dependencies=[Depends(VIEWER)])
def list_sites(
    request: Request,
    q: Annotated[
        str, Query(max_length=100, description="words of site, unit or address; marks may be left out")
    ] = "",
    unit: Annotated[
        str, Query(max_length=200, description="only sites of this unit and all below it, by code")
    ] = "",
    state: Annotated[SiteState | Literal[""], Query(description="only this state")] = "",
    page: Annotated[int, Query(ge=1, le=100_000, description="from 1")] = 1,
    per_page: Annotated[int, Query(ge=1, le=500, description="at most 500")] = 100,
) -> models.SiteList:
    """Sites in use today, filtered, one page of them; states counts before the filter by state."""
    feed, now_ms = stream.feed_of(request), services_of(request).now_ms()
    everyone = feed.sites()
    passed = [one for one in everyone if one.ground and matches(one, q, unit, "")]
    found = [one for one in passed if matches(one, "", "", state)]
    grounds = feed.grounds()
    start = (page - 1) * per_page
    return models.SiteList(
        total=len(found),
        page=page,
        per_page=per_page,
        states=counts(passed),
        unplaced_machines=len(grounds.unplaced) if grounds else 0,
        sites=[site_model(one, one.ground, now_ms) for one in found[start : start + per_page] if one.ground],
    )


@router.get("/{code:path}", summary="One site", dependencies=[Depends(VIEWER)], responses=_NOT_FOUND)
def one_site(
    request: Request,
    code: Annotated[str, Path(max_length=200, description="code of the site", examples=["TS-08"])],
) -> models.SiteDetail:
    """A site's figures, its machines, and what of assets and agents does not fit together."""
    services, feed = services_of(request), stream.feed_of(request)
    summary, grounds = feed.site(site_key(code)), feed.grounds()
    if summary is None or summary.ground is None or summary.key == UNPLACED or grounds is None:
        raise Refusal(
            HTTPStatus.NOT_FOUND,
            f"no site has the code {code} today",
            "list the sites with GET /api/v1/sites",
            page="invalid",
        )
    assets = {match.agent: match.asset for match in grounds.matching.matches}
    questions = [one.question for one in summary.asked]
    machines = [
        _machine(one, assets.get(one.agent), questions) for one in machines_at(services, summary.ground)
    ]
    here = frozenset(asset for asset, site in grounds.asset_sites.items() if site == code)
    return _detail(summary, summary.ground, machines, grounds.matching, here, services.now_ms())


def _machine(one: MachineAnswers, asset: str | None, questions: Sequence[Question]) -> models.SiteMachine:
    return models.SiteMachine(
        agent=one.agent,
        name=one.name,
        asset=asset,
        counts=one.counts,
        fresh=one.fresh,
        last_report_ms=one.report_ms,
        answers=[_answer(one, question) for question in questions],
        networks_at_once=list(one.at_once),
    )


def _answer(one: MachineAnswers, question: Question) -> figure_models.AnswerModel:
    found = one.of(question)
    paths = one.told.paths.get(question.network, ()) if question.topic is Topic.REACH else ()
    return figure_models.AnswerModel(
        question=question.topic,
        network=question.network,
        answer=found.value,
        state=found.state,
        current=found.current,
        product=found.product,
        why=found.why,
        seen_ms=found.seen_ms,
        paths=[figure_models.PathModel.model_validate(path, from_attributes=True) for path in paths],
    )


def _detail(
    summary: SiteSummary,
    ground: Ground,
    machines: list[models.SiteMachine],
    matching: Matching,
    assets: frozenset[str],
    now_ms: int,
) -> models.SiteDetail:
    agents = {one.agent for one in ground.members}
    return models.SiteDetail(
        site=site_model(summary, ground, now_ms),
        machines=machines,
        assets_without_agent=[one for one in matching.assets_left if one in assets],
        agents_without_asset=[one for one in matching.agents_left if one in agents],
        conflicts=[
            models.ConflictModel(why=one.why, by=one.by, agents=list(one.agents), assets=list(one.assets))
            for one in matching.conflicts
            if agents.intersection(one.agents) or assets.intersection(one.assets)
        ],
    )


def site_model(summary: SiteSummary, ground: Ground, now_ms: int) -> models.SiteModel:
    """A site as the API sends it."""
    return models.SiteModel(
        code=ground.site.code,
        name=ground.site.name,
        title=ground.title,
        address=ground.site.address,
        state=summary.state,
        units=[models.NamedUnit(code=code, name=name) for code, name in ground.units],
        links=[models.LinkModel.model_validate(one, from_attributes=True) for one in ground.links],
        now=figure_models.FigureModel.of(summary.now, now_ms),
        window=figure_models.FigureModel.of(summary.window),
        asked=figure_models.AskedModel.every(summary.asked, ON_CARD[0], now_ms),
        last_report_ms=summary.newest_ms,
    )
