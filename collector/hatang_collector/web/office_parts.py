"""What the page that adds an office and the page of a site share: tokens shown once, what has arrived."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from starlette.responses import HTMLResponse

from hatang_collector.domain.dated import on
from hatang_collector.domain.estate import Estate, Link, LinkKind
from hatang_collector.ledger.roles import Role, User
from hatang_collector.offices import form, gather
from hatang_collector.offices.add import OfficeAdded
from hatang_collector.offices.arrivals import Arrivals, Stage
from hatang_collector.offices.faults import Faults
from hatang_collector.offices.lines import lines_by_group
from hatang_collector.web import stream
from hatang_collector.web.estate import EstateNow
from hatang_collector.web.i18n import Texts
from hatang_collector.web.render import page
from hatang_collector.web.security import services_of, suffices

KINDS: Final = tuple(LinkKind)


async def typed(request: Request) -> dict[str, str]:
    """The fields of a form as text; files are left out."""
    fields = await request.form()
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def fault_texts(faults: Faults, t: Texts) -> dict[str, str]:
    """What stands beside each field, in words."""
    return {name: t(f"office.fault.{fault.code}", **fault.values) for name, fault in faults.items()}


def form_values(now: EstateNow, fields: Mapping[str, str], faults: Faults, t: Texts) -> dict[str, Any]:
    """What the fields of both pages need."""
    return {
        "fields": fields,
        "faults": fault_texts(faults, t),
        "kinds": KINDS,
        "providers": form.PROVIDERS,
        "staff_groups": staff_groups(now.estate),
    }


def staff_groups(estate: Estate) -> dict[str, str]:
    """The names of the staff groups by code, in their official order."""
    groups = sorted(estate.staff_groups, key=lambda group: (group.position, group.code))
    return {group.code: group.name for group in groups}


def links_at(estate: Estate, site: str, now: EstateNow) -> list[Link]:
    """The links of a site today, what it cannot be without first."""
    found = [link for link in on(estate.links, now.today) if link.site == site]
    return sorted(found, key=lambda link: (not link.essential, link.kind, link.code))


def arrived(request: Request, user: User, now: EstateNow, site: str) -> dict[str, Any]:
    """The checklist of a site, for ``office_arrivals.html``."""
    services = services_of(request)
    here = gather.agents_at(now.estate, now.tree, now.placements, site, now.today)
    live = services.live

    def heard(agent: str) -> int:
        found = live.get(agent)
        return found.last_report_ms if found else 0

    groups = staff_groups(now.estate)
    with services.ledger.read() as c:
        found = gather.gather(
            c, site, here, links_at(now.estate, site, now), groups, services.now_ms(), heard
        )
    states = {one.agent: one.state for one in stream.feed_of(request).summaries() if one.agent in here}
    return {
        "a": found,
        "states": states,
        "site_code": site,
        "group_names": groups,
        "Stage": Stage,
        "may_invite": suffices(user.role, Role.ADMIN),
        "poll_s": 3 if busy(found) else 15,
    }


def busy(found: Arrivals) -> bool:
    """Whether somebody is still expected, so that the page asks often."""
    return not found.complete and not found.expired


def show_tokens(
    request: Request, user: User, now: EstateNow, added: OfficeAdded, *, new: bool
) -> HTMLResponse:
    """The page with the tokens of a site, which are never shown again."""
    offer = services_of(request).enrol_offer()
    values = {
        "site": added.site,
        "new": new,
        "tokens": [(one, lines_by_group(one, offer)) for one in added.invitations],
        **arrived(request, user, now, added.site.code),
    }
    return page(request, "office_added.html", user, values, HTTPStatus.CREATED)
