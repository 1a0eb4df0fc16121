"""Machines, one machine, and its series."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from hatang_agent.wire.topics import AGENT_PATTERN
from hatang_collector.ledger import machines
from hatang_collector.store.contract import Resolution
from hatang_collector.web import roster, stream
from hatang_collector.web.api import models
from hatang_collector.web.freshness import State
from hatang_collector.web.problems import Problem, Refusal, unknown_machine
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.summary import counts, matches
from hatang_collector.web.tracks import MAX_SPAN_MS, resolution_for

router = APIRouter(prefix="/api/v1/machines", tags=["machines"])

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
DEFAULT_SPAN_MS = 3 * 3_600_000
AgentId = Annotated[
    str, Path(pattern=f"^{AGENT_PATTERN.pattern}$", description="agent id", examples=[models.EXAMPLE_AGENT])
]
_NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "no machine has this id"}
}


@router.get("", summary="List machines, worst state first", dependencies=[Depends(VIEWER)])
def list_machines(
    request: Request,
    q: Annotated[
        str,
        Query(max_length=100, description="words of label, asset code, group or id; marks may be left out"),
    ] = "",
    role: Annotated[Literal["", "pc", "probe"], Query(description="only this role")] = "",
    state: Annotated[State | Literal[""], Query(description="only this state")] = "",
    page: Annotated[int, Query(ge=1, le=100_000, description="from 1")] = 1,
    per_page: Annotated[int, Query(ge=1, le=500, description="at most 500")] = 100,
) -> models.MachineList:
    """Machines in use, filtered, one page of them; states counts before the filter by state."""
    intervals = stream.feed_of(request).intervals()
    summaries = roster.summaries(services_of(request), intervals=intervals)
    everyone = [one for one in summaries if matches(one, q, role, "")]
    found = [one for one in everyone if matches(one, "", "", state)]
    start = (page - 1) * per_page
    return models.MachineList(
        total=len(found),
        page=page,
        per_page=per_page,
        states=counts(everyone),
        machines=[models.MachineSummary.of(one) for one in found[start : start + per_page]],
    )


@router.get("/{agent}", summary="One machine", dependencies=[Depends(VIEWER)], responses=_NOT_FOUND)
def one_machine(request: Request, agent: AgentId) -> models.MachineDetailModel:
    """A machine's figures, live values, newest run of each probe, facts, receipts and findings."""
    found = roster.detail(services_of(request), agent, stream.feed_of(request).intervals().get(agent))
    if found is None:
        raise unknown_machine(agent)
    live = found.live
    values = [
        models.LiveValue(
            measurement=measurement,
            field=field,
            tags=dict(tags),
            value=one.value,
            unit=one.unit,
            at_ms=one.at_ms,
        )
        for (measurement, tags), fields in (live.values.items() if live else ())
        for field, one in fields.items()
    ]
    runs = [
        models.ProbeRun(
            probe=probe, status=run.status, at_ms=run.at_ms, error=run.error or None, hint=run.hint or None
        )
        for probe, run in (live.runs.items() if live else ())
    ]
    return models.MachineDetailModel(
        machine=models.MachineSummary.of(found.summary),
        retired_ms=found.machine.retired_ms,
        online=dict(live.online) if live else {},
        values=sorted(values, key=lambda one: (one.measurement, sorted(one.tags.items()), one.field)),
        runs=sorted(runs, key=lambda run: run.probe),
        facts=[models.FactModel.model_validate(fact, from_attributes=True) for fact in found.facts],
        receipts=models.ReceiptsModel(
            reports=found.receipts.reports,
            runs=found.receipts.runs,
            first_ms=found.receipts.first_ms or None,
            last_ms=found.receipts.last_ms or None,
            gaps=found.receipts.gaps,
        ),
        findings=[models.FindingModel.model_validate(one, from_attributes=True) for one in found.findings],
    )


@router.get(
    "/{agent}/series",
    summary="One series of a machine over a span of time",
    dependencies=[Depends(VIEWER)],
    responses=_NOT_FOUND,
)
def one_series(
    request: Request,
    agent: AgentId,
    measurement: Annotated[str, Query(pattern=NAME_PATTERN, examples=["usage"], description="e.g. usage")],
    field: Annotated[
        str, Query(pattern=NAME_PATTERN, examples=["cpu_percent"], description="e.g. cpu_percent")
    ],
    from_ms: Annotated[
        int | None, Query(alias="from", ge=0, le=2**53, description="default: 3 h before to")
    ] = None,
    to_ms: Annotated[int | None, Query(alias="to", ge=0, le=2**53, description="default: now")] = None,
    resolution: Annotated[
        Literal["auto", "raw", "5m", "1h"], Query(description="auto: raw to 6 h, 5m to 3 days, else 1h")
    ] = "auto",
) -> models.SeriesModel:
    """Buckets with from <= at < to, one track per tag set. A missing bucket is missing data."""
    services = services_of(request)
    end_ms = services.now_ms() + 1 if to_ms is None else to_ms
    start_ms = max(0, end_ms - DEFAULT_SPAN_MS) if from_ms is None else from_ms
    if start_ms >= end_ms:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "'from' is not before 'to'", "ask for a span of time")
    chosen = resolution_for(end_ms - start_ms) if resolution == "auto" else Resolution(resolution)
    if end_ms - start_ms > MAX_SPAN_MS[chosen]:
        longest = MAX_SPAN_MS[chosen] // 3_600_000
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the resolution {chosen} answers at most {longest} h at once",
            "ask for a shorter span or a coarser resolution",
        )
    with services.ledger.read() as c:
        if machines.get(c, agent) is None:
            raise unknown_machine(agent)
    tracks = services.store.query(agent, measurement, field, start_ms, end_ms, chosen)
    return models.SeriesModel(
        agent=agent,
        measurement=measurement,
        field=field,
        resolution=chosen,
        from_ms=start_ms,
        to_ms=end_ms,
        tracks=[
            models.TrackModel(
                tags=dict(track.tags),
                buckets=[
                    models.BucketModel.model_validate(one, from_attributes=True) for one in track.buckets
                ],
            )
            for track in tracks
        ],
    )
