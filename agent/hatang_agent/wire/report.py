"""The report: one sealed message of an agent, with the runs of its probes.

All times are integers in milliseconds. ``wall_ms`` is the agent's own UTC clock since the Unix
epoch; ``boot_ms`` is time since the operating system booted, sleep included. Numbers travel with
the unit they were taken in; a missing measurement is absent, never zero.

The dataclasses below *are* the schema: ``docs/wire.md`` and ``docs/wire.schema.json`` are generated
from them, the agent encodes them, the collector decodes into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SCHEMA = 1
"""Version of the report schema. Unknown fields are ignored; a changed meaning raises this number."""

Scalar = str | int | float | bool | None


class Status(StrEnum):
    """How a run ended. Silence is never a result."""

    OK = "ok"
    NO_DATA = "no_data"
    FAILED = "failed"
    TIMEOUT = "timeout"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Clock:
    """One instant as the agent saw it, on both of its clocks, within one boot of the system."""

    wall_ms: int
    boot_ms: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A number at the time of its run. ``name`` is ``measurement.field``, e.g. ``usage.cpu_percent``."""

    name: str
    value: float
    unit: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """A described thing, e.g. kind ``disk``, key ``sda``. Facts of one run replace the former ones."""

    kind: str
    key: str
    fields: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run gave nothing, and what a person can do about it."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of one probe.

    ``id`` is ``<epoch>-<n>``: the process start that *took* the run, and its rising number there.
    It never changes, in whichever report the run travels, so that nothing is counted twice.
    ``facts_digest`` names the set of facts; with ``unchanged`` the facts are left out because the
    collector has acknowledged that very set before.
    """

    id: str
    probe: str
    clock: Clock
    took_ms: int
    status: Status
    samples: tuple[Sample, ...] = ()
    facts: tuple[Fact, ...] = ()
    error: RunError | None = None
    facts_digest: str = ""
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Runs that the agent had to drop, and why. Times are of the first and last run dropped."""

    probe: str
    runs: int
    from_wall_ms: int
    to_wall_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The report sealed before this one; in the first report of an epoch, the last of the epoch before."""

    epoch: str
    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Report:
    """One sealed message. Its identity is (agent, epoch, seq, SHA-256 of the wire bytes)."""

    schema: int
    agent: str
    epoch: str
    seq: int
    predecessor: Predecessor | None
    clock: Clock
    role: str
    version: str
    runs: tuple[Run, ...] = ()
    gaps: tuple[Gap, ...] = ()
