"""Writing an office: unit, site, links and tokens in one transaction, with their notes in the audit log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from hatang_collector.domain import edits
from hatang_collector.domain.dated import on
from hatang_collector.domain.estate import Estate, Link, Site
from hatang_collector.domain.localtime import day_of
from hatang_collector.ledger import audit, estate_version, tokens
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.engine import Connection, Ledger
from hatang_collector.offices import wanted as notes
from hatang_collector.offices.faults import Fault, Faults
from hatang_collector.offices.request import NewLink, OfficeRequest, Wanted, conflicts, free_code, office_rows

DAY_MS: Final = 24 * 3_600_000


class OfficeRefused(Exception):  # noqa: N818 - an answer
    """Nothing was written: what was asked does not fit what is declared by now."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(", ".join(f"{field}: {fault.code}" for field, fault in faults.items()))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Invitation:
    """A token of which only this object still has the text. ``machines``: its PCs by staff group."""

    role: str
    token: str
    uses: int
    expires_ms: int
    machines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OfficeAdded:
    """What was written, and the tokens to hand out."""

    site: Site
    unit: str
    invitations: tuple[Invitation, ...]


def add(ledger: Ledger, request: OfficeRequest, *, who: str, role: str, now_ms: int) -> OfficeAdded:
    """Add an office, or change nothing.

    Args:
        ledger: where it is written.
        request: the office, as :func:`.form.read_office` gives it.
        who: name of the user, for the log.
        role: the user's role.
        now_ms: UTC milliseconds.

    Raises:
        OfficeRefused: somebody was quicker with the same unit or site.
        EstateRefused: what follows contradicts what is declared.
        LedgerUnavailable: trying again later helps.
    """
    today = day_of(now_ms)
    with ledger.write() as c:
        estate_version.lock(c)
        before = estates.load(c)
        faults = conflicts(request, before, today)
        if faults:
            raise OfficeRefused(faults)
        rows = office_rows(request, before, today)
        after = edits.put_all(before, rows.each())
        estates.save(c, before, after, who=who, role=role, now_ms=now_ms)
        invitations = _invite(c, rows.site, request.unit, request.wanted, who, role, now_ms)
    return OfficeAdded(rows.site, request.unit, invitations)


def invite(
    ledger: Ledger, site: str, unit: str, wanted: Wanted, *, who: str, role: str, now_ms: int
) -> OfficeAdded:
    """New tokens for a site; those of the same roles that were not used up give no right any more.

    ``unit`` '' leaves open which of the units there. Raises OfficeRefused when there is no such site
    today, or not with that unit.
    """
    with ledger.write() as c:
        estate = estates.load(c)
        today = day_of(now_ms)
        found = next((one for one in on(estate.sites, today) if one.code == site), None)
        if found is None:
            raise OfficeRefused({"site": Fault("site_unknown", {"text": site})})
        stays = {(one.site, one.unit) for one in on(estate.site_units, today)}
        if unit and (site, unit) not in stays:
            raise OfficeRefused({"unit": Fault("unit_unknown", {"text": unit})})
        return OfficeAdded(found, unit, _invite(c, found, unit, wanted, who, role, now_ms))


def put_link(
    ledger: Ledger, site: str, code: str, link: NewLink, day: date, *, who: str, role: str, now_ms: int
) -> str:
    """A link of a site as it is from a day on; ``code`` '' is a new one. Returns its code.

    What the form does not ask (contract number, purpose, what may be sent) stays as it was.
    Raises OfficeRefused when the site or the link is not there, EstateRefused when it does not fit.
    """
    found = code

    def change(estate: Estate) -> Estate:
        nonlocal found
        _must_have_site(estate, site)
        if not code:
            found = free_code(f"{site}-{link.kind}", {one.code for one in estate.links})
        base = _latest(estate, site, code, day) if code else Link(found, site, link.kind)
        row = replace(
            base,
            kind=link.kind,
            provider=link.provider,
            down_mbps=link.down_mbps,
            up_mbps=link.up_mbps,
            essential=link.essential,
            metered=link.metered,
            valid_from=day,
            valid_to=None,
        )
        return edits.put(estate, row)

    _edit(ledger, change, who, role, now_ms)
    return found


def end_link(ledger: Ledger, site: str, code: str, day: date, *, who: str, role: str, now_ms: int) -> None:
    """A link is no longer there from a day on. Raises as :func:`put_link` does."""

    def change(estate: Estate) -> Estate:
        _latest(estate, site, code, day)
        return edits.end(estate, Link, code, day)

    _edit(ledger, change, who, role, now_ms)


def _edit(ledger: Ledger, change: Callable[[Estate], Estate], who: str, role: str, now_ms: int) -> None:
    estates.edit(ledger, change, who=who, role=role, now_ms=now_ms)


def _must_have_site(estate: Estate, site: str) -> None:
    if all(one.code != site for one in estate.sites):
        raise OfficeRefused({"site": Fault("site_unknown", {"text": site})})


def _latest(estate: Estate, site: str, code: str, day: date) -> Link:
    """The version of a link in force on a day, else the one nearest before it, else the first."""
    versions = sorted(
        (one for one in estate.links if (one.site, one.code) == (site, code)), key=lambda one: one.valid_from
    )
    if not versions:
        raise OfficeRefused({"link": Fault("link_unknown", {"text": code})})
    return next((one for one in reversed(versions) if one.valid_from <= day), versions[0])


def _invite(
    c: Connection, site: Site, unit: str, wanted: Wanted, who: str, role: str, now_ms: int
) -> tuple[Invitation, ...]:
    asked = ([("probe", 1)] if wanted.probe else []) + ([("pc", wanted.total)] if wanted.total else [])
    roles = [one for one, _ in asked]
    acts = [
        audit.Act("token.revoke", token.id)
        for token in tokens.every(c)
        if token.site == site.code and token.role in roles and token.refusal(now_ms) is None
    ]
    for act in acts:
        tokens.revoke(c, act.subject, now_ms)
    expires_ms = now_ms + wanted.days * DAY_MS
    made = []
    for role_of, uses in asked:
        machines = dict(wanted.machines) if role_of == "pc" else {}
        text = tokens.create(
            c,
            role=role_of,
            uses=uses,
            expires_ms=expires_ms,
            now_ms=now_ms,
            note=notes.note(site.name, machines),
            unit=unit,
            site=site.code,
            staff_group=next(iter(machines)) if len(machines) == 1 else "",
        )
        detail = {"role": role_of, "uses": uses, "days": wanted.days, "unit": unit, "site": site.code}
        acts.append(audit.Act("token.create", text.partition("-")[0], json.dumps(detail, ensure_ascii=False)))
        made.append(Invitation(role_of, text, uses, expires_ms, machines))
    audit.append_all(c, acts, who=who, role=role, now_ms=now_ms)
    return tuple(made)
