"""The page of one site: who works there, when, over which lines, and which machines have arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_collector.domain.attribution import Attribution
from hatang_collector.domain.checks import EstateRefused
from hatang_collector.domain.dated import BEGINNING, holds, on
from hatang_collector.domain.estate import MACHINE_KINDS, AssetState, Link, Site
from hatang_collector.domain.hours import ORDINARY, Reason
from hatang_collector.ledger.users import User
from hatang_collector.offices import add as offices
from hatang_collector.offices import form
from hatang_collector.offices.add import OfficeRefused
from hatang_collector.offices.faults import Fault, Faults
from hatang_collector.offices.request import DEFAULT_DAYS, NewLink, Wanted
from hatang_collector.web import format as fmt
from hatang_collector.web import i18n, office_parts, stream
from hatang_collector.web.acts import ADMIN_PERSON
from hatang_collector.web.days import write_day
from hatang_collector.web.estate import EstateNow, estate_of
from hatang_collector.web.format import Language
from hatang_collector.web.problems import Refusal
from hatang_collector.web.render import fragment, language_of, page
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.site_answers import lines, machines_at, of_agents
from hatang_collector.web.sites import ON_CARD, site_key
from hatang_collector.web.told import words

router = APIRouter(prefix="/sites", include_in_schema=False)

LOOK_AHEAD: Final = 90
MOST_CLOSED: Final = 4


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A day that differs from the week of a site."""

    day: str
    why: Reason
    name: str


@dataclass(frozen=True, slots=True)
class Version:
    """A contract of a link and when it held; ``since`` and ``until`` are '' for an open end.

    ``rates`` is down and up in Mbit/s as people write them, '' when neither is known.
    """

    link: Link
    rates: str
    since: str
    until: str
    present: bool


def _day(day: date | None) -> str:
    return "" if day is None or day == BEGINNING else write_day(day)


def _site(now: EstateNow, code: str) -> Site:
    """The version in force today, else the latest. Raises Refusal for a code nobody declared."""
    versions = sorted((one for one in now.estate.sites if one.code == code), key=lambda one: one.valid_from)
    if not versions:
        raise Refusal(
            HTTPStatus.NOT_FOUND, f"no site has the code {code}", "look for it on the board", "unknown_site"
        )
    return next((one for one in versions if holds(one, now.today)), versions[-1])


def _closed_days(now: EstateNow, code: str) -> list[ClosedDay]:
    """The next days that are not what the week says."""
    found: list[ClosedDay] = []
    for ahead in range(LOOK_AHEAD):
        day = now.today + timedelta(days=ahead)
        reasoned = now.calendar.is_working_day(code, day)
        if reasoned.why not in (Reason.WEEK, Reason.WEEKEND):
            found.append(ClosedDay(write_day(day), reasoned.why, reasoned.name))
            if len(found) == MOST_CLOSED:
                break
    return found


def _rates(link: Link, language: Language) -> str:
    both = (link.down_mbps, link.up_mbps)
    if both == (None, None):
        return ""
    return "/".join("?" if rate is None else _mbps(rate, language) for rate in both)


def _mbps(rate: float, language: Language) -> str:
    return fmt.number(rate, 0 if rate == int(rate) else 1, language)


def _histories(now: EstateNow, code: str, language: Language) -> list[list[Version]]:
    """The versions of each link, newest first; links that are there before those that ended."""
    links: dict[str, list[Link]] = {}
    for link in sorted(now.estate.links, key=lambda one: one.valid_from, reverse=True):
        if link.site == code:
            links.setdefault(link.code, []).append(link)
    histories = [
        [
            Version(
                one,
                _rates(one, language),
                _day(one.valid_from),
                _day(one.valid_to),
                holds(one, now.today),
            )
            for one in versions
        ]
        for versions in links.values()
    ]
    return sorted(
        histories,
        key=lambda one: (not any(v.present for v in one), not one[0].link.essential, one[0].link.code),
    )


def _people_and_things(now: EstateNow, code: str, units: Sequence[str]) -> dict[str, Any]:
    """Staff of the units that work here, and the assets that stand here."""
    staff: dict[str, int] = {}
    for count in on(now.estate.staff_counts, now.today):
        if count.unit in units:
            staff[count.staff_group] = staff.get(count.staff_group, 0) + count.people
    attribution = Attribution(now.estate, now.tree, now.today)
    assets = [
        one
        for one in on(now.estate.assets, now.today)
        if one.state is AssetState.IN_USE and attribution.place(one.unit, one.site).site == code
    ]
    machines = sum(one.kind in MACHINE_KINDS for one in assets)
    return {"staff": staff, "asset_machines": machines, "asset_devices": len(assets) - machines}


def _link_fields(link: Link, today: date) -> dict[str, str]:
    """The form of a contract, filled with the one in force."""
    rates = {"down": link.down_mbps, "up": link.up_mbps}
    return {
        "code": link.code,
        "day": write_day(today),
        "link1_kind": link.kind,
        "link1_provider": link.provider,
        **{
            f"link1_{name}": "" if rate is None else f"{rate:g}".replace(".", ",")
            for name, rate in rates.items()
        },
        "link1_essential": "on" if link.essential else "",
        "link1_metered": "on" if link.metered else "",
    }


def _show(
    request: Request,
    user: User,
    code: str,
    *,
    typed: Mapping[str, str] | None = None,
    wanted: Mapping[str, str] | None = None,
    faults: Faults | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    """The page; ``typed`` is a contract form and ``wanted`` a token form that came back with faults."""
    now, language = estate_of(request), language_of(request)
    site = _site(now, code)
    units = [one.unit for one in on(now.estate.site_units, now.today) if one.site == code]
    histories = _histories(now, code, language)
    blank = {"code": "", "day": write_day(now.today), "link1_essential": "on"}
    forms = {one[0].link.code: _link_fields(one[0].link, now.today) for one in histories} | {"": blank}
    if typed is not None:
        forms[typed.get("code", "")] = dict(typed)
    values = {
        **office_parts.form_values(now, {}, faults or {}, i18n.texts(language)),
        **office_parts.arrived(request, user, now, code),
        **_people_and_things(now, code, units),
        "site": site,
        "ended": _day(site.valid_to) if not holds(site, now.today) else "",
        "units": [(unit, now.tree.name_of(unit, now.today)) for unit in units],
        "hours": site.hours or ORDINARY,
        "ordinary": not site.hours,
        "is_open": now.calendar.is_open(code, services_of(request).now_ms()),
        "closed_days": _closed_days(now, code),
        "Reason": Reason,
        "histories": histories,
        "forms": forms,
        "open_form": typed.get("code", "") if typed is not None else None,
        "token_fields": wanted or {"probe": "", "days": str(DEFAULT_DAYS)},
        "token_faults": wanted is not None,
        "most_machines": form.MAX_MACHINES,
        "most_days": form.MAX_DAYS,
        **_machines(request, code, language),
    }
    return page(request, "site.html", user, values, status)


@router.get("/{code:path}/arrivals")
def arrivals(request: Request, user: Annotated[User, Depends(VIEWER)], code: str) -> HTMLResponse:
    """The part of the page that changes while machines arrive."""
    now = estate_of(request)
    _site(now, code)
    values = office_parts.arrived(request, user, now, code)
    return HTMLResponse(
        fragment("office_arrivals.html", language_of(request), services_of(request).now_ms(), values)
    )


def _machines(request: Request, code: str, language: Language) -> dict[str, Any]:
    """What ``site_machines.html`` needs; no summary for a site that the board does not know."""
    summary = stream.feed_of(request).site(site_key(code))
    if summary is None or summary.ground is None:
        return {"summary": None}
    found = machines_at(services_of(request), summary.ground)
    agents = len({one.machine for one in summary.ground.members if one.machine})
    return {
        "summary": summary,
        "seen": {
            "now": of_agents(summary.now, agents),
            "window": of_agents(summary.window, agents),
            "official": summary.window,
        },
        "on_card": ON_CARD,
        "cpnet": summary.counted(ON_CARD[0]),
        "lines": lines(summary, found),
        "both": [one for one in found if one.at_once],
        **words(language),
    }


@router.get("/{code:path}/machines")
def machines(request: Request, user: Annotated[User, Depends(VIEWER)], code: str) -> HTMLResponse:  # noqa: ARG001
    """The part of the page that tells what the machines answer."""
    _site(estate_of(request), code)
    language = language_of(request)
    values = _machines(request, code, language)
    return HTMLResponse(fragment("site_machines.html", language, services_of(request).now_ms(), values))


@router.get("/{code:path}")
def site(request: Request, user: Annotated[User, Depends(VIEWER)], code: str) -> HTMLResponse:
    """Everything declared about a site, and its machines."""
    return _show(request, user, code)


@router.post("/{code:path}/links")
def change_link(
    request: Request,
    user: Annotated[User, Depends(ADMIN_PERSON)],
    code: str,
    fields: Annotated[dict[str, str], Depends(office_parts.typed)],
) -> Response:
    """A contract from a day on: a new version, a new link, or the end of one."""
    services = services_of(request)
    day = form.read_day(fields.get("day", ""))
    faults: Faults = {"day": day} if isinstance(day, Fault) else {}
    link = form.read_link(fields)
    if not isinstance(link, NewLink):
        faults |= link
    if faults or isinstance(day, Fault) or not isinstance(link, NewLink):
        return _show(request, user, code, typed=fields, faults=faults, status=HTTPStatus.BAD_REQUEST)
    by: dict[str, Any] = {"who": user.name, "role": user.role, "now_ms": services.now_ms()}
    try:
        if fields.get("ends") and fields.get("code"):
            offices.end_link(services.ledger, code, fields["code"], day, **by)
        else:
            offices.put_link(services.ledger, code, fields.get("code", ""), link, day, **by)
    except OfficeRefused as refused:
        raise _unknown(refused) from refused
    except EstateRefused as refused:
        faults = {"day": Fault("estate", {"cause": refused.problems[0]})}
        return _show(request, user, code, typed=fields, faults=faults, status=HTTPStatus.CONFLICT)
    services.poke()
    return RedirectResponse(f"/sites/{quote(code)}#links", HTTPStatus.SEE_OTHER)


@router.post("/{code:path}/tokens")
def new_tokens(
    request: Request,
    user: Annotated[User, Depends(ADMIN_PERSON)],
    code: str,
    fields: Annotated[dict[str, str], Depends(office_parts.typed)],
) -> Response:
    """New tokens for the site, shown this once; older ones that were not used up are revoked."""
    services, now = services_of(request), estate_of(request)
    wanted = form.read_wanted(fields, now.estate)
    if not isinstance(wanted, Wanted):
        return _show(request, user, code, wanted=fields, faults=wanted, status=HTTPStatus.BAD_REQUEST)
    by: dict[str, Any] = {"who": user.name, "role": user.role, "now_ms": services.now_ms()}
    try:
        added = offices.invite(services.ledger, code, fields.get("unit", ""), wanted, **by)
    except OfficeRefused as refused:
        raise _unknown(refused) from refused
    return office_parts.show_tokens(request, user, now, added, new=False)


def _unknown(refused: OfficeRefused) -> Refusal:
    step = "reload the page: what is declared may have changed"
    return Refusal(HTTPStatus.NOT_FOUND, f"not declared: {refused}", step, "unknown_site")
