"""Sites with their figures, as the first board shows them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from hatang_collector.domain.figures import is_fresh
from hatang_collector.domain.matching import Matching
from hatang_collector.web import stream
from hatang_collector.web.api import estate_models as models
from hatang_collector.web.problems import Problem, Refusal
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.sites import UNPLACED, Ground, SiteState, SiteSummary, counts, matches, site_key

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
    now_ms = services.now_ms()
    assets = {match.agent: match.asset for match in grounds.matching.matches}
    machines = []
    for one in summary.ground.members:
        heard = services.live.get(one.agent)
        report_ms = (heard.last_report_ms or None) if heard else None
        machines.append(
            models.SiteMachine(
                agent=one.agent,
                asset=assets.get(one.agent),
                fresh=is_fresh(report_ms, one.interval_ms, now_ms),
                last_report_ms=report_ms,
            )
        )
    here = frozenset(asset for asset, site in grounds.asset_sites.items() if site == code)
    return _detail(summary, summary.ground, machines, grounds.matching, here, now_ms)


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
        now=models.FigureModel.of(summary.now, now_ms),
        window=models.FigureModel.of(summary.window),
        last_report_ms=summary.newest_ms,
    )
