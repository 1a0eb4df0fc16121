"""Reads from the ledger what the checklist of an office is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

from hatang_collector.broker.enrol import RE_ENROLLED
from hatang_collector.domain.attribution import Attribution
from hatang_collector.domain.estate import Estate, Link, Placement
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger import findings, machines, states, tokens
from hatang_collector.ledger.engine import Connection
from hatang_collector.ledger.machines import Machine
from hatang_collector.offices import wanted
from hatang_collector.offices.arrivals import Arrivals, Contract, Invited, Member, arrivals


def agents_at(
    estate: Estate, tree: Tree, placed: Mapping[str, Placement], site: str, day: date
) -> dict[str, str]:
    """The staff group of each machine that stands at a site on a day, by agent."""
    attribution = Attribution(estate, tree, day)
    return {
        agent: one.staff_group
        for agent, one in placed.items()
        if attribution.place(one.unit, one.site).site == site
    }


def gather(
    c: Connection,
    site: str,
    here: Mapping[str, str],
    links: Sequence[Link],
    groups: Collection[str],
    now_ms: int,
    heard: Callable[[str], int] = lambda _agent: 0,
) -> Arrivals:
    """The checklist of a site.

    Args:
        c: a transaction.
        site: code of the site.
        here: the staff group of each machine that stands there, as :func:`agents_at` gives it.
        links: the links of the site today.
        groups: codes of the staff groups.
        now_ms: UTC milliseconds.
        heard: when the newest report of an agent came, 0 for never, as far as the live state knows;
            the ledger is asked too, it may be some seconds behind.
    """
    members = [
        _member(c, machine, here[machine.agent], heard)
        for machine in machines.every(c)
        if machine.retired_ms is None and machine.agent in here
    ]
    invited = [
        Invited(
            token.role,
            token.uses,
            token.used,
            token.created_ms,
            token.expires_ms,
            wanted.wanted(token.note, groups) if token.role == "pc" else {},
        )
        for token in tokens.every(c)
        if token.site == site and token.revoked_ms is None
    ]
    return arrivals(members, invited, [contract(link) for link in links], now_ms)


def contract(link: Link) -> Contract:
    """A link by its provider and kind, and whether its contract is declared."""
    name = f"{link.kind.upper()} {link.provider}".strip()
    return Contract(name, bool(link.provider) and link.down_mbps is not None)


def display_name(machine: Machine) -> str:
    """Label, else asset code, else the first eight signs of the agent id."""
    return machine.label.strip() or machine.asset_code.strip() or machine.agent[:8]


def _member(c: Connection, machine: Machine, staff_group: str, heard: Callable[[str], int]) -> Member:
    state = states.get(c, machine.agent)
    report_ms = max(heard(machine.agent), (state.last_ms or 0) if state else 0)
    told = findings.of(c, machine.agent, open_only=False)
    returned_ms = max((one.opened_ms for one in told if one.kind == RE_ENROLLED), default=None)
    return Member(
        machine.agent,
        display_name(machine),
        machine.role,
        staff_group,
        machine.enrolled_ms,
        report_ms or None,
        returned_ms,
    )
