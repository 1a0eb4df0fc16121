"""The page of one machine: charts, facts, runs, findings, receipts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import HTMLResponse

from hatang_agent.wire.topics import AGENT_PATTERN
from hatang_collector.broker.enrol import BY_ENROLMENT
from hatang_collector.domain.localtime import day_of
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.ledger import audit, findings, machines, placements
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.users import Role, User
from hatang_collector.web import format as fmt
from hatang_collector.web import i18n, names, places, roster, stream
from hatang_collector.web.estate import estate_of
from hatang_collector.web.fact_tables import fact_tables
from hatang_collector.web.format import Language
from hatang_collector.web.log_words import reason_of
from hatang_collector.web.machine_charts import Span, View, charts
from hatang_collector.web.places import Stay
from hatang_collector.web.problems import unknown_machine
from hatang_collector.web.render import fragment, language_of, page
from hatang_collector.web.roster import MachineDetail
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.summary import current

router = APIRouter(prefix="/machines", include_in_schema=False)

CLOSING = "finding.close"
MOST_CLOSED = 20
"""Settled findings a page shows; the log has them all."""

AgentId = Annotated[str, Path(pattern=f"^{AGENT_PATTERN.pattern}$")]


def _now_values(found: MachineDetail, language: Language) -> list[dict[str, str]]:
    """Every live value in words; one too old for the newest report reads as not measured."""
    live = found.live
    if live is None:
        return []
    t = i18n.texts(language)
    rows = []
    for (measurement, tags), fields in sorted(live.values.items()):
        for name, value in sorted(fields.items()):
            number = current(value, live.last_report_ms or None, found.machine.role)
            text = t("not_measured") if number is None else fmt.measured(number, value.unit, language)
            label = t.or_name(f"value.{measurement}.{name}", f"{measurement}.{name}")
            rows.append({"name": label, "tags": ", ".join(value for _, value in tags), "text": text})
    return rows


def _interfaces(found: MachineDetail) -> list[dict[str, Any]]:
    """Interfaces with their present rates, None where they were not measured."""
    live = found.live
    if live is None:
        return []
    rows = []
    for (measurement, tags), fields in sorted(live.values.items()):
        if measurement != names.RX.measurement:
            continue
        rates = [
            current(fields.get(series.field), live.last_report_ms or None, found.machine.role)
            for series in (names.RX, names.TX)
        ]
        rows.append({"name": dict(tags).get(names.INTERFACE_TAG, ""), "rx": rates[0], "tx": rates[1]})
    return rows


def _place(request: Request, found: MachineDetail) -> Stay | None:
    """Where it stands, in words; None when nobody said."""
    if found.placement is None:
        return None
    now = estate_of(request)
    return places.stay(now.estate, now.tree, found.placement, now.today)


def _live_values(request: Request, user: User, found: MachineDetail, language: Language) -> dict[str, Any]:
    runs = sorted(found.live.runs.items()) if found.live else []
    return {
        "place": _place(request, found),
        "may_change": user.role is Role.ADMIN,
        "m": found.summary,
        "machine": found.machine,
        "runs": runs,
        "values": _now_values(found, language),
        "interfaces": _interfaces(found),
        "receipts": found.receipts,
        "findings": found.findings,
        "online": sorted(found.live.online.items()) if found.live else [],
    }


def _chart_values(request: Request, machine: Machine, span: Span, language: Language) -> dict[str, Any]:
    services = services_of(request)
    view = View(span, services.now_ms(), machine.enrolled_ms, language)
    try:
        found = charts(services.store, machine.agent, view)
    except StoreUnavailable:
        return {"charts": [], "store_away": True, "span": span}
    return {"charts": found, "store_away": False, "span": span}


def _found(request: Request, agent: str) -> MachineDetail:
    found = roster.detail(services_of(request), agent, stream.feed_of(request).intervals().get(agent))
    if found is None:
        raise unknown_machine(agent)
    return found


def _past(request: Request, found: MachineDetail) -> dict[str, Any]:
    """Where it stood, newest first, and the findings that are settled."""
    now = estate_of(request)
    with services_of(request).ledger.read() as c:
        history = placements.history(c, found.machine.agent)
        every = findings.of(c, found.machine.agent, open_only=False)
        closed = sorted(
            (one for one in every if one.closed_ms is not None),
            key=lambda one: one.closed_ms or 0,
            reverse=True,
        )[:MOST_CLOSED]
        acts = audit.of_subjects(c, CLOSING, [one.id for one in closed])
    return {
        "history": [places.stay(now.estate, now.tree, one, day_of(one.from_ms)) for one in reversed(history)],
        "closed": [(one, reason_of(acts[one.id].detail) if one.id in acts else "") for one in closed],
        "withdrawn": findings.WITHDRAWN,
        "by_enrolment": BY_ENROLMENT,
    }


@router.get("/{agent}")
def machine(
    request: Request, user: Annotated[User, Depends(VIEWER)], agent: AgentId, span: Span = Span.HOUR
) -> HTMLResponse:
    """Everything known about one machine."""
    language = language_of(request)
    mark = stream.feed_of(request).mark
    found = _found(request, agent)
    values = {
        **_live_values(request, user, found, language),
        **_past(request, found),
        **_chart_values(request, found.machine, span, language),
        "spans": list(Span),
        "tables": fact_tables(found.facts, i18n.texts(language)),
        "mark": mark,
    }
    return page(request, "machine.html", user, values)


@router.get("/{agent}/now")
def machine_now(request: Request, user: Annotated[User, Depends(VIEWER)], agent: AgentId) -> HTMLResponse:
    """The part of the page that changes with every report."""
    language = language_of(request)
    values = _live_values(request, user, _found(request, agent), language)
    return HTMLResponse(fragment("machine_now.html", language, services_of(request).now_ms(), values))


@router.get("/{agent}/charts", dependencies=[Depends(VIEWER)])
def machine_charts(request: Request, agent: AgentId, span: Span = Span.HOUR) -> HTMLResponse:
    """The charts over a span."""
    language = language_of(request)
    with services_of(request).ledger.read() as c:
        found = machines.get(c, agent)
    if found is None:
        raise unknown_machine(agent)
    values = _chart_values(request, found, span, language)
    return HTMLResponse(fragment("charts.html", language, services_of(request).now_ms(), values))
