"""One machine in a few figures, as the board and the API show it.

Everything here is a function of a ledger row, the live state, facts and ``now_ms``. A value that was
not measured is None all the way to the page, never zero.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hatang_collector.ledger.facts import FactRow
from hatang_collector.ledger.machines import Machine
from hatang_collector.live import MachineNow, Value
from hatang_collector.web import names
from hatang_collector.web.freshness import GRACE_MS, INTERVAL_MS, RANKS, State, state_of

UPTIME_KEPT_MS: Final = 2 * 3_600_000 + GRACE_MS
"""Two intervals of the probe that takes it, and the grace."""

LiveValues = Mapping[tuple[str, tuple[tuple[str, str], ...]], Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class DiskUse:
    """The share of one file system in use, 0 to 100."""

    mount: str
    percent: float


@dataclass(frozen=True, slots=True)
class NetworkUse:
    """The rates of one interface in bits per second; None where the run could not tell."""

    interface: str
    rx_bps: float | None
    tx_bps: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """One machine at one moment. ``sort`` orders a page: worst state first, then by name."""

    agent: str
    name: str
    label: str
    asset_code: str
    staff_group: str
    role: str
    state: State
    farewell: str | None
    last_report_ms: int | None
    cpu_percent: float | None
    memory_percent: float | None
    disk: DiskUse | None
    network: NetworkUse | None
    os: str | None
    uptime_s: float | None
    findings: int
    enrolled_ms: int
    version: str
    sort: str


def display_name(machine: Machine) -> str:
    """Label, else asset code, else the first eight signs of the agent id."""
    return machine.label.strip() or machine.asset_code.strip() or machine.agent[:8]


def folded(text: str) -> str:
    """For searching and sorting: lower case, without Vietnamese marks."""
    plain = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def sort_key(state: State, name: str, agent: str) -> str:
    """Worst state first, then the name with its numbers by value, then the id."""
    natural = re.sub(r"[0-9]+", lambda found: found[0].zfill(9)[-9:], folded(name)[:80])
    return f"{RANKS[state]} {natural} {agent}"


def current(value: Value | None, report_ms: int | None, role: str) -> float | None:
    """The number of a live value, or None when it is absent or older than the newest report allows."""
    if value is None or report_ms is None:
        return None
    allowed = INTERVAL_MS.get(role, INTERVAL_MS["pc"]) + GRACE_MS
    return value.value if report_ms - value.at_ms <= allowed else None


def uptime(value: Value | None, report_ms: int | None) -> float | None:
    """Seconds since boot as of the newest report.

    The uptime itself is sampled seldom; a boot that ended brings a new value at once, so the time
    between sample and report belongs to the same boot.
    """
    if value is None or report_ms is None or report_ms - value.at_ms > UPTIME_KEPT_MS:
        return None
    return value.value + max(0, report_ms - value.at_ms) / 1000


def fullest_disk(values: LiveValues, report_ms: int | None, role: str) -> DiskUse | None:
    """The file system with the largest share in use."""
    found = [
        DiskUse(dict(tags).get(names.DISK_TAG, ""), percent)
        for (measurement, tags), fields in values.items()
        if measurement == names.DISK.measurement
        and (percent := current(fields.get(names.DISK.field), report_ms, role)) is not None
    ]
    return max(found, key=lambda disk: (disk.percent, disk.mount), default=None)


def main_interface(values: LiveValues, report_ms: int | None, role: str) -> NetworkUse | None:
    """The interface that carries most; the first by name when none carries anything."""
    found = [
        NetworkUse(
            dict(tags).get(names.INTERFACE_TAG, ""),
            current(fields.get(names.RX.field), report_ms, role),
            current(fields.get(names.TX.field), report_ms, role),
        )
        for (measurement, tags), fields in sorted(values.items())
        if measurement == names.RX.measurement and (names.RX.field in fields or names.TX.field in fields)
    ]
    wanted = [use for use in found if use.interface not in names.LOOPBACKS]
    return max(wanted, key=lambda use: (use.rx_bps or 0) + (use.tx_bps or 0), default=None)


def os_text(fact: FactRow | None) -> str | None:
    """The operating system in one line, from its fact."""
    if fact is None:
        return None
    parts = [str(fact.fields.get(name) or "").strip() for name in names.OS_FIELDS]
    text = " ".join(part for part in parts if part)
    return text or None


def summarise(
    machine: Machine,
    live: MachineNow | None,
    os_fact: FactRow | None,
    findings: int,
    now_ms: int,
    staff_group: str = "",
    interval_ms: int | None = None,
) -> Summary:
    """The figures of one machine; ``findings`` is how many of its findings are open.

    ``interval_ms``: how far apart its reports are, None for its role's default.
    """
    report_ms = (live.last_report_ms or None) if live else None
    farewell = live.farewell if live else None
    values: LiveValues = live.values if live else {}
    state = state_of(report_ms, machine.role, farewell, now_ms, interval_ms)
    name = display_name(machine)

    def one(series: names.Series) -> float | None:
        return current(values.get((series.measurement, ()), {}).get(series.field), report_ms, machine.role)

    return Summary(
        agent=machine.agent,
        name=name,
        label=machine.label,
        asset_code=machine.asset_code,
        staff_group=staff_group,
        role=machine.role,
        state=state,
        farewell=farewell,
        last_report_ms=report_ms,
        cpu_percent=one(names.CPU),
        memory_percent=one(names.MEMORY),
        disk=fullest_disk(values, report_ms, machine.role),
        network=main_interface(values, report_ms, machine.role),
        os=os_text(os_fact),
        uptime_s=uptime(values.get((names.UPTIME.measurement, ()), {}).get(names.UPTIME.field), report_ms),
        findings=findings,
        enrolled_ms=machine.enrolled_ms,
        version=live.version if live else "",
        sort=sort_key(state, name, machine.agent),
    )


def matches(summary: Summary, query: str, role: str, state: str) -> bool:
    """Whether a machine belongs into a filtered list; empty filters let everything pass."""
    if (role and summary.role != role) or (state and summary.state != state):
        return False
    text = folded(f"{summary.label} {summary.asset_code} {summary.staff_group} {summary.agent}")
    return all(word in text for word in folded(query).split())


def counts(summaries: Iterable[Summary]) -> dict[State, int]:
    """How many machines are in each state, all states named."""
    found = dict.fromkeys(State, 0)
    for summary in summaries:
        found[summary.state] += 1
    return found
