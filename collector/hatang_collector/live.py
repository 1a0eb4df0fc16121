"""The latest of everything, in memory, for pages: fed by ingest after the fsync, never a source of truth.

Each machine is an immutable :class:`MachineNow`, replaced as a whole, so readers need no lock. Bounded:
``MAX_TRACKS`` tracks a probe, ``MAX_PROBES`` probes and ``MAX_PATHS`` paths a machine.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hatang_agent.wire.codec import WireError
from hatang_agent.wire.messages import Birth, Farewell, Presence
from hatang_agent.wire.report import Report, Run, Status
from hatang_collector.domain.timeline import run_utc_ms
from hatang_collector.ingest.decode import decode_small, read_report
from hatang_collector.journal.segments import Entry

MAX_TRACKS: Final = 1_000
MAX_PROBES: Final = 64
MAX_PATHS: Final = 16

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Value:
    """One number, its unit, and the UTC milliseconds of its run."""

    value: float
    unit: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class ProbeNow:
    """How a probe's latest run ended; ``error`` and ``hint`` are empty when it ended well."""

    status: str
    at_ms: int
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class MachineNow:
    """What is known of one machine now.

    ``values`` maps (measurement, tags) to its fields; ``online`` tells each path; ``farewell`` is the
    reason of the latest goodbye, or None while it is here. Times are UTC milliseconds, 0 for never.
    """

    agent: str
    role: str = ""
    version: str = ""
    epoch: str = ""
    last_report_ms: int = 0
    last_run_ms: int = 0
    last_beat_ms: int = 0
    online: Mapping[str, bool] = field(default_factory=dict)
    farewell: str | None = None
    values: Mapping[tuple[str, Tags], Mapping[str, Value]] = field(default_factory=dict)
    runs: Mapping[str, ProbeNow] = field(default_factory=dict)


@dataclass(slots=True)
class _Held:
    """A machine and what is needed to keep it right."""

    now: MachineNow
    tracks: dict[str, list[tuple[str, Tags]]] = field(default_factory=dict)
    births: dict[str, tuple[str, int]] = field(default_factory=dict)


class LiveState:
    """All machines. ``version`` rises with every change; see :meth:`wait`."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._changed = threading.Condition()
        self._version = 0

    @property
    def version(self) -> int:
        """Rises whenever something changed."""
        return self._version

    def machines(self) -> dict[str, MachineNow]:
        """Every machine heard of, by agent id."""
        with self._changed:
            return {agent: held.now for agent, held in self._held.items()}

    def get(self, agent: str) -> MachineNow | None:
        """One machine, or None when nothing was heard of it."""
        held = self._held.get(agent)
        return held.now if held else None

    def wait(self, version: int, timeout_s: float) -> int:
        """Wait until the version is above the given one, or the time is over; the version now."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > version, timeout_s)
            return self._version

    def apply(self, entries: Sequence[Entry], reports: Mapping[str, Report] | None = None) -> None:
        """Take in journal entries; ``reports`` may hold those already decoded, by digest."""
        if not entries:
            return
        with self._changed:
            for entry in entries:
                self._apply(entry, reports or {})
            self._bump()

    def beat(self, agent: str, path: str, at_ms: int) -> None:
        """A heartbeat of a path: the machine is here."""
        with self._changed:
            held = self._of(agent)
            if not held.now.online.get(path):
                held.now = _with_path(held.now, path, here=True)
                self._bump()
            if at_ms > held.now.last_beat_ms:
                held.now = replace(held.now, last_beat_ms=at_ms)

    def _bump(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _of(self, agent: str) -> _Held:
        held = self._held.get(agent)
        if held is None:
            held = self._held[agent] = _Held(MachineNow(agent))
        return held

    def _apply(self, entry: Entry, reports: Mapping[str, Report]) -> None:
        held = self._of(entry.agent)
        try:
            if entry.kind == "report":
                report = reports.get(entry.header["digest"]) or read_report(entry.payload)
                _take_report(held, report, entry)
            elif entry.kind == "birth":
                _take_birth(held, decode_small(Birth, entry.payload), live=entry.header["live"])
            elif entry.kind == "presence":
                _take_presence(held, decode_small(Presence, entry.payload))
            elif entry.kind == "beats":
                held.now = _with_path(held.now, entry.header["path"], here=entry.header["state"] == "found")
        except WireError:
            return  # journaled by a program that knew more: nothing to show


def _take_report(held: _Held, report: Report, entry: Entry) -> None:
    values, runs = dict(held.now.values), dict(held.now.runs)
    latest = held.now.last_run_ms
    ended: dict[str, tuple[int, Run]] = {}
    measured: dict[str, tuple[int, Run]] = {}
    for run in report.runs:
        at_ms, _ = run_utc_ms(run, entry.header["clocks"])
        before = runs.get(run.probe)
        if (before and at_ms < before.at_ms) or (before is None and len(runs) >= MAX_PROBES):
            continue
        latest = max(latest, at_ms)
        _keep_latest(ended, at_ms, run)
        if run.status in (Status.OK, Status.NO_DATA):
            _keep_latest(measured, at_ms, run)
    for probe, (at_ms, run) in ended.items():
        error, hint = (run.error.message, run.error.hint) if run.error else ("", "")
        runs[probe] = ProbeNow(str(run.status), at_ms, error, hint)
    for probe, (at_ms, run) in measured.items():
        for key in held.tracks.pop(probe, ()):
            values.pop(key, None)
        held.tracks[probe] = _put_samples(values, run, at_ms)
    newest = entry.arrived_ms >= held.now.last_report_ms and latest >= held.now.last_run_ms
    held.now = replace(
        held.now,
        role=report.role if newest else held.now.role,
        version=report.version if newest else held.now.version,
        epoch=report.epoch if newest or not held.now.epoch else held.now.epoch,
        last_report_ms=max(held.now.last_report_ms, entry.arrived_ms),
        last_run_ms=latest,
        values=values,
        runs=runs,
    )


def _keep_latest(runs: dict[str, tuple[int, Run]], at_ms: int, run: Run) -> None:
    if run.probe not in runs or runs[run.probe][0] <= at_ms:
        runs[run.probe] = (at_ms, run)


def _put_samples(
    values: dict[tuple[str, Tags], Mapping[str, Value]], run: Run, at_ms: int
) -> list[tuple[str, Tags]]:
    """Put the samples of a run in place; the keys of the tracks it now owns."""
    tracks: dict[tuple[str, Tags], dict[str, Value]] = {}
    for sample in run.samples:
        measurement, _, name = sample.name.partition(".")
        key = (measurement, tuple(sorted(sample.tags.items())))
        if key in tracks or len(tracks) < MAX_TRACKS:
            tracks.setdefault(key, {})[name] = Value(sample.value, sample.unit, at_ms)
    values.update(tracks)
    return list(tracks)


def _take_birth(held: _Held, birth: Birth, *, live: bool) -> None:
    before = held.births.get(birth.path)
    if before and before[0] == birth.epoch and before[1] > birth.connection:
        return
    if before or len(held.births) < MAX_PATHS:
        held.births[birth.path] = (birth.epoch, birth.connection)
    if live:
        held.now = _with_path(held.now, birth.path, here=True)
    held.now = replace(held.now, role=birth.role, version=birth.version, epoch=birth.epoch)


def _take_presence(held: _Held, presence: Presence) -> None:
    """A goodbye older than the latest birth of its path is a late will of a connection long replaced."""
    before = held.births.get(presence.path)
    if before and (before[0] != presence.epoch or before[1] > presence.connection):
        return
    gone = _with_path(held.now, presence.path, here=False)
    reason = None if presence.reason is Farewell.LOST and any(gone.online.values()) else str(presence.reason)
    held.now = replace(gone, farewell=reason)


def _with_path(now: MachineNow, path: str, *, here: bool) -> MachineNow:
    if path not in now.online and len(now.online) >= MAX_PATHS:
        return now
    return replace(now, online={**now.online, path: here}, farewell=None if here else now.farewell)
