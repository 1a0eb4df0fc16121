"""What an administrator changes about a machine: its name, its place, its findings, and that it is gone."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_agent.wire.topics import AGENT_PATTERN
from hatang_collector.domain.estate import Placement
from hatang_collector.domain.folding import official
from hatang_collector.domain.localtime import midnight_ms
from hatang_collector.ledger import findings, machines, placements
from hatang_collector.ledger.engine import Connection
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.users import User
from hatang_collector.web import places
from hatang_collector.web.acts import ADMIN, note
from hatang_collector.web.days import read_day
from hatang_collector.web.estate import estate_of
from hatang_collector.web.problems import unknown_machine
from hatang_collector.web.render import page
from hatang_collector.web.security import services_of

router = APIRouter(prefix="/machines/{agent}", include_in_schema=False)

MAX_LABEL: Final = 100
MAX_ASSET_CODE: Final = 64
MAX_REASON: Final = 500
CLOSING: Final = "finding.close"

AgentId = Annotated[str, Path(pattern=f"^{AGENT_PATTERN.pattern}$")]
FindingId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Admin = Annotated[User, Depends(ADMIN)]
Code = Annotated[str, Form(max_length=200)]
Text = Annotated[str, Form(max_length=2_000)]


def _machine(c: Connection, agent: str) -> Machine:
    found = machines.get(c, agent)
    if found is None:
        raise unknown_machine(agent)
    return found


def _show(
    request: Request, user: User, agent: str, refusal: str = "", given: dict[str, Any] | None = None
) -> HTMLResponse:
    """The forms; with a refusal, what was typed stays in them."""
    now = estate_of(request)
    with services_of(request).ledger.read() as c:
        machine = _machine(c, agent)
        placement = placements.of(c, agent) or Placement(agent, machine.enrolled_ms)
        opened = findings.of(c, agent)
    values = {
        "machine": machine,
        "name": machine.label or machine.agent,
        "at": placement,
        "place": places.stay(now.estate, now.tree, placement, now.today),
        "options": places.options(now),
        "findings": opened,
        "refusal": refusal,
        "longest": {"label": MAX_LABEL, "asset_code": MAX_ASSET_CODE, "reason": MAX_REASON},
        "typed": {
            "label": machine.label,
            "asset_code": machine.asset_code,
            "unit": placement.unit,
            "site": placement.site,
            "staff_group": placement.staff_group,
            "day": "",
            "reason": "",
            "finding": "",
            **(given or {}),
        },
    }
    status = HTTPStatus.BAD_REQUEST if refusal else HTTPStatus.OK
    return page(request, "machine_edit.html", user, values, status)


def _back(agent: str) -> RedirectResponse:
    return RedirectResponse(f"/machines/{agent}", HTTPStatus.SEE_OTHER)


@router.get("/edit")
def edit_page(request: Request, user: Admin, agent: AgentId) -> HTMLResponse:
    """The forms."""
    return _show(request, user, agent)


@router.post("/edit")
def edit(request: Request, user: Admin, agent: AgentId, label: Text = "", asset_code: Text = "") -> Response:
    """Another label or asset code."""
    label, asset_code = official(label), official(asset_code)
    limits = ((label, MAX_LABEL, "label"), (asset_code, MAX_ASSET_CODE, "asset_code"))
    for text, limit, name in limits:
        if len(text) > limit or not text.isprintable():
            return _show(request, user, agent, name, {"label": label, "asset_code": asset_code})
    services = services_of(request)
    now_ms = services.now_ms()
    with services.ledger.write() as c:
        before = _machine(c, agent)
        old = {"label": before.label, "asset_code": before.asset_code}
        new = {"label": label, "asset_code": asset_code}
        changed = {name: (old[name], new[name]) for name in old if old[name] != new[name]}
        if changed:
            machines.change(c, agent, **new)
            note(c, user, "machine.change", agent, now_ms, **changed)
    return _back(agent)


def _since(day: str, machine: Machine, placement: Placement | None, now_ms: int) -> int | str:
    """The first moment at the new place, or why that day cannot be.

    A day means its first moment, but never one before the machine was enrolled. The same moment as
    that of the present placement corrects it; an earlier one would be lost behind it.
    """
    try:
        asked = read_day(day)
    except ValueError:
        return "day"
    if asked is None:
        return now_ms
    from_ms = max(midnight_ms(asked), machine.enrolled_ms)
    if from_ms > now_ms:
        return "future"
    return "before" if placement is not None and from_ms < placement.from_ms else from_ms


@router.post("/move")
def move(
    request: Request,
    user: Admin,
    agent: AgentId,
    unit: Code = "",
    site: Code = "",
    staff_group: Code = "",
    day: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Place it elsewhere from a day on; where it stood before is kept."""
    given = {"unit": unit, "site": site, "staff_group": staff_group, "day": day}
    refusal = places.refusal(estate_of(request), unit, site, staff_group)
    if refusal:
        return _show(request, user, agent, refusal, given)
    services = services_of(request)
    now_ms = services.now_ms()
    with services.ledger.write() as c:
        machine, before = _machine(c, agent), placements.of(c, agent)
        since = "retired" if machine.retired_ms is not None else _since(day, machine, before, now_ms)
        if isinstance(since, int):
            _place(c, user, Placement(agent, since, unit, site, staff_group, user.name), before, now_ms)
    if isinstance(since, str):
        return _show(request, user, agent, since, given)
    services.poke()
    return _back(agent)


def _place(c: Connection, user: User, new: Placement, before: Placement | None, now_ms: int) -> None:
    old = before or Placement(new.agent, new.from_ms)
    changed = {
        name: (getattr(old, name), getattr(new, name))
        for name in ("unit", "site", "staff_group")
        if getattr(old, name) != getattr(new, name)
    }
    if changed:
        placements.put(c, new)
        note(c, user, "machine.move", new.agent, now_ms, from_ms=new.from_ms, **changed)


@router.post("/retire")
def retire(
    request: Request,
    user: Admin,
    agent: AgentId,
    sure: Annotated[str, Form(max_length=10)] = "",
    reason: Text = "",
) -> Response:
    """It is gone for good: it cannot connect any more, its history stays."""
    why = official(reason)
    if not sure or len(why) > MAX_REASON:
        return _show(request, user, agent, "reason" if sure else "sure", {"reason": why})
    services = services_of(request)
    now_ms = services.now_ms()
    with services.ledger.write() as c:
        if _machine(c, agent).retired_ms is None:
            # Marked and noted together; what follows shuts it out, and is made up for at the next start.
            machines.retire(c, agent, now_ms)
            note(c, user, "machine.retire", agent, now_ms, **({"reason": why} if why else {}))
    services.retire(agent, now_ms)
    return _back(agent)


@router.post("/findings/{finding}/close")
def close_finding(
    request: Request, user: Admin, agent: AgentId, finding: FindingId, reason: Text = ""
) -> Response:
    """Somebody looked into it; the reason is kept in the log."""
    why = official(reason)
    if not why or len(why) > MAX_REASON:
        return _show(request, user, agent, "reason", {"finding": finding, "reason": why})
    services = services_of(request)
    now_ms = services.now_ms()
    with services.ledger.write() as c:
        _machine(c, agent)
        found = findings.get(c, finding)
        gone = found is None or found.agent != agent or found.closed_ms is not None
        if found is not None and not gone:
            findings.close(c, finding, now_ms, user.name)
            note(c, user, CLOSING, finding, now_ms, kind=found.kind, agent=agent, reason=why)
    if gone:
        return _show(request, user, agent, "finding", {"reason": why})
    return _back(agent)
