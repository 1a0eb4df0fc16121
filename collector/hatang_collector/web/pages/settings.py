"""Settings of agents along the tree: what holds where and since whom, and which machines took it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_collector.broker.configs import as_json
from hatang_collector.domain.settings import (
    ALL,
    BOTH,
    MACHINE,
    ROLES,
    BadValue,
    Delivery,
    Key,
    Kind,
    content,
    effective,
    read,
)
from hatang_collector.ledger import audit, deliveries, machines, node_settings
from hatang_collector.ledger.deliveries import Report
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.node_settings import Setting
from hatang_collector.ledger.roles import Role
from hatang_collector.ledger.users import User
from hatang_collector.settings_keys import keys
from hatang_collector.web import i18n
from hatang_collector.web.estate import estate_of
from hatang_collector.web.fact_tables import reason_text
from hatang_collector.web.format import Language
from hatang_collector.web.problems import Refusal
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import Needs, services_of
from hatang_collector.web.settings_view import Fleet, rows, typed, value_text, whole_name

router = APIRouter(prefix="/settings", include_in_schema=False)

ADMIN: Final = Needs(Role.ADMIN)
SYMBOLS: Final = {
    Delivery.STRANGE: "✕",
    Delivery.REFUSED: "✕",
    Delivery.AHEAD: "▲",
    Delivery.WAITING: "…",
    Delivery.ACCEPTED: "●",
    Delivery.NOTHING: "–",
}
SHOWN: Final = 200
"""Rows of a list; the rest is counted below it."""
_SETTLED: Final = frozenset({Delivery.ACCEPTED, Delivery.NOTHING})

Scope = Annotated[str, Query(max_length=200)]
FormScope = Annotated[str, Form(max_length=200)]
FormKey = Annotated[str, Form(max_length=200)]
FormRole = Annotated[str, Form(pattern="^(pc|probe|)$")]


@dataclass(frozen=True, slots=True)
class Answer:
    """One machine and what it says about its configuration. ``report_ms``: its newest report."""

    machine: Machine
    place: str
    report: Report
    reason: str
    report_ms: int


@dataclass(frozen=True, slots=True)
class Entered:
    """A value that was not taken: shown again with the reason."""

    key: str
    role: str
    text: str
    problem: str


def _fleet(request: Request) -> Fleet:
    t = i18n.texts(language_of(request))
    with services_of(request).ledger.read() as c:
        everyone = machines.every(c)
    return Fleet.of(estate_of(request), everyone, t("settings.all"))


def _answers(request: Request, fleet: Fleet, scope: str) -> tuple[Counter[Delivery], list[Answer]]:
    """How many machines below a node are in each state, and those that need a look, worst first."""
    services, t = services_of(request), i18n.texts(language_of(request))
    below = fleet.below(scope)
    with services.ledger.read() as c:
        found = deliveries.reports(c, [one.agent for one in below])
    live = services.live.machines()
    counts = Counter(report.state for report in found.values())
    order = list(Delivery)
    waiting = [one for one in below if found[one.agent].state not in _SETTLED or scope.startswith(MACHINE)]
    waiting.sort(key=lambda one: (order.index(found[one.agent].state), (one.label or one.agent).casefold()))
    answers = []
    for one in waiting:
        report, now = found[one.agent], live.get(one.agent)
        reason = reason_text(report.told.reason, t) if report.told else ""
        place = fleet.node(fleet.home(one.agent)).name
        answers.append(Answer(one, place, report, reason, now.last_report_ms if now else 0))
    return counts, answers


def _states(request: Request, fleet: Fleet, scope: str) -> dict[str, Any]:
    counts, answers = _answers(request, fleet, scope)
    return {
        "counts": counts,
        "answers": answers[:SHOWN],
        "more": max(0, len(answers) - SHOWN),
        "marks": SYMBOLS,
        "Delivery": Delivery,
    }


def _told(one: Setting, language: Language) -> tuple[str, str]:
    """A setting in words: name of its key, value."""
    t, key = i18n.texts(language), keys().get(one.key)
    return (whole_name(key, t), value_text(key, one.value, t)) if key else (one.key, json.dumps(one.value))


@router.get("")
def overview(request: Request, user: Annotated[User, Depends(ADMIN)]) -> HTMLResponse:
    """Who has not acknowledged, and everything that is set, along the tree."""
    fleet, language = _fleet(request), language_of(request)
    values = {
        "root": fleet.tree(),
        "strays": fleet.strays(),
        "told": lambda one: _told(one, language),
        **_states(request, fleet, ALL),
    }
    return page(request, "settings.html", user, values)


@router.get("/node")
def node(request: Request, user: Annotated[User, Depends(ADMIN)], scope: Scope = ALL) -> HTMLResponse:
    """One node: what is in force there, where it comes from, and the forms to change it."""
    return _node_page(request, user, scope)


def _node_page(request: Request, user: User, scope: str, entered: Entered | None = None) -> HTMLResponse:
    fleet, language = _fleet(request), language_of(request)
    _known_node(fleet, scope)
    t = i18n.texts(language)
    known = keys()
    children = fleet.children(scope)
    values = {
        "node": fleet.node(scope),
        "above": [fleet.node(one) for one in reversed(fleet.chain(scope)[1:])],
        "children": children[:SHOWN],
        "more_children": max(0, len(children) - SHOWN),
        "tables": rows(fleet, scope, known.values(), t),
        "unknown": [one for one in fleet.at.get(scope, ()) if one.key not in known],
        "roles": [BOTH, *ROLES],
        "is_machine": scope.startswith(MACHINE),
        "typed": lambda value: typed(value, t),
        "told": lambda one: _told(one, language),
        "entered": entered,
        "Kind": Kind,
        **_states(request, fleet, scope),
    }
    status = HTTPStatus.BAD_REQUEST if entered else HTTPStatus.OK
    return page(request, "settings_node.html", user, values, status)


def _known_node(fleet: Fleet, scope: str) -> None:
    if scope not in fleet.names:
        raise Refusal(
            HTTPStatus.NOT_FOUND,
            f"nothing stands at {scope!r} today",
            "choose a node at /settings",
            page="unknown_node",
        )


@router.post("/set")
def put(
    request: Request,
    user: Annotated[User, Depends(ADMIN)],
    scope: FormScope = "",
    key: FormKey = "",
    role: FormRole = BOTH,
    value: Annotated[str, Form(max_length=40_000)] = "",
) -> Response:
    """Set one value at one node."""
    fleet, t = _fleet(request), i18n.texts(language_of(request))
    _known_node(fleet, scope)
    wanted = keys().get(key)
    if wanted is None:
        cause = f"no signed configuration has the key {key!r}"
        raise Refusal(HTTPStatus.BAD_REQUEST, cause, "choose a key on the node's page", page="invalid")
    try:
        found = read(wanted, value)
    except BadValue as error:
        problem = t(f"settings.bad.{error.fault}", limit=error.limit)
        return _node_page(request, user, scope, Entered(key, role, value, problem))
    if not _fits(fleet, Setting(scope, role, key, found, 0, "")):
        return _node_page(request, user, scope, Entered(key, role, value, t("settings.bad.configuration")))
    _store(request, user, Setting(scope, role, key, found, 0, ""))
    return _back(scope, wanted)


@router.post("/clear")
def clear(
    request: Request,
    user: Annotated[User, Depends(ADMIN)],
    scope: FormScope = "",
    key: FormKey = "",
    role: FormRole = BOTH,
) -> Response:
    """Take back what was set at a node, so that it inherits again."""
    services = services_of(request)
    now_ms = services.now_ms()
    with services.ledger.write() as c:
        before = _set_now(node_settings.every(c), scope, role, key)
        if before is not None and node_settings.drop(c, scope, role, key):
            detail = _change(before.value, None)
            subject = _subject(scope, role, key)
            audit.append(
                c,
                who=user.name,
                role=user.role,
                action="setting.clear",
                subject=subject,
                now_ms=now_ms,
                detail=detail,
            )
    services.poke()
    return _back(scope if scope in _fleet(request).names else "", keys().get(key))


def _store(request: Request, user: User, wanted: Setting) -> None:
    services = services_of(request)
    now_ms = services.now_ms()
    scope, role, key = wanted.scope, wanted.role, wanted.key
    with services.ledger.write() as c:
        before = _set_now(node_settings.every(c), scope, role, key)
        if before is not None and before.value == wanted.value:
            return
        node_settings.put(c, scope, role, key, wanted.value, who=user.name, now_ms=now_ms)
        detail = _change(before.value if before else None, wanted.value)
        subject = _subject(scope, role, key)
        audit.append(
            c,
            who=user.name,
            role=user.role,
            action="setting.set",
            subject=subject,
            now_ms=now_ms,
            detail=detail,
        )
    services.poke()


def _set_now(settings: Sequence[Setting], scope: str, role: str, key: str) -> Setting | None:
    return next((one for one in settings if (one.scope, one.role, one.key) == (scope, role, key)), None)


def _subject(scope: str, role: str, key: str) -> str:
    return f"{scope} {key}" + (f" ({role})" if role else "")


def _change(old: Any, new: Any) -> str:
    return json.dumps({"value": [old, new]}, ensure_ascii=False, separators=(",", ":"))


def _fits(fleet: Fleet, wanted: Setting) -> bool:
    """Whether no machine's configuration grows over what an agent takes; only texts can do that."""
    if not isinstance(wanted.value, str | list):
        return True
    for machine in fleet.below(wanted.scope):
        chain = fleet.chains[machine.agent]
        near = [one for scope in chain for one in fleet.at.get(scope, ())]
        near = [one for one in near if _set_now([one], wanted.scope, wanted.role, wanted.key) is None]
        try:
            as_json(content(effective([*near, wanted], chain, machine.role)))
        except ValueError:
            return False
    return True


def _back(scope: str, key: Key | None) -> Response:
    if not scope:
        return RedirectResponse("/settings", HTTPStatus.SEE_OTHER)
    place = f"#{quote(key.name)}" if key else ""
    return RedirectResponse(f"/settings/node?scope={quote(scope)}{place}", HTTPStatus.SEE_OTHER)
