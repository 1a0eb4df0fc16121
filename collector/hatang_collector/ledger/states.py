"""The latest of each agent: version, epoch, counts, and how each of its probes last ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_agent.wire.report import Run
from hatang_collector.domain.inventory import Seen
from hatang_collector.ledger.tables import AGENT_STATES, PROBE_STATES, rows_of, storable, upsert


@dataclass(slots=True)
class AgentState:
    """One agent. ``report_ms``: latest sealing; ``run_ms``: latest run; ``first_ms``, ``last_ms``: arrivals.

    ``version`` and ``role`` are those of the latest report or live birth (``version_ms``), ``epoch``
    the process start that began last (``epoch_ms``; empty while that is not certain), ``dropped`` the
    runs in its gap records.
    """

    agent: str
    role: str = ""
    version: str = ""
    version_ms: int = 0
    epoch: str = ""
    epoch_ms: int = 0
    reports: int = 0
    runs: int = 0
    dropped: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    report_ms: int = 0
    run_ms: int = 0


@dataclass(frozen=True, slots=True)
class ProbeState:
    """How the latest run of a probe ended."""

    agent: str
    probe: str
    status: str
    at_ms: int
    run_id: str
    certain: bool
    error: str
    hint: str


def every(c: Connection) -> list[AgentState]:
    """All agents that were ever heard, by agent."""
    return [AgentState(*row) for row in c.execute(sa.select(AGENT_STATES).order_by(AGENT_STATES.c.agent))]


def get(c: Connection, agent: str) -> AgentState | None:
    """One agent, None when it was never heard."""
    row = c.execute(sa.select(AGENT_STATES).where(AGENT_STATES.c.agent == agent)).one_or_none()
    return None if row is None else AgentState(*row)


def probes(c: Connection, agent: str | None = None) -> list[ProbeState]:
    """The probes of one agent or of all, by agent and probe."""
    chosen = sa.select(PROBE_STATES).order_by(PROBE_STATES.c.agent, PROBE_STATES.c.probe)
    if agent is not None:
        chosen = chosen.where(PROBE_STATES.c.agent == agent)
    return [ProbeState(*row) for row in c.execute(chosen)]


class StateBook:
    """The agents of one batch and their probes, changed in memory and written at its end."""

    def __init__(self, c: Connection, agents: set[str]) -> None:
        self._c = c
        self._states = {row["agent"]: AgentState(**row) for row in rows_of(c, AGENT_STATES, agents)}
        self._probes = {
            (row["agent"], row["probe"]): ProbeState(**row) for row in rows_of(c, PROBE_STATES, agents)
        }
        self._changed: set[tuple[str, str]] = set()

    def of(self, agent: str) -> AgentState:
        """An agent's state, to be changed in place."""
        return self._states.setdefault(agent, AgentState(agent))

    def speaks(self, agent: str, role: str, version: str, at_ms: int) -> None:
        """What an agent says it is; a late message of an older version changes nothing."""
        state = self.of(agent)
        if at_ms >= state.version_ms:
            state.role, state.version, state.version_ms = storable(role), storable(version), at_ms

    def reported(self, agent: str, report_ms: int, arrived_ms: int) -> None:
        """A report was taken in."""
        state = self.of(agent)
        state.reports += 1
        state.first_ms = arrived_ms if state.first_ms is None else min(state.first_ms, arrived_ms)
        state.last_ms = arrived_ms if state.last_ms is None else max(state.last_ms, arrived_ms)
        state.report_ms = max(state.report_ms, report_ms)

    def ran(self, agent: str, runs: Sequence[tuple[Run, Seen]]) -> None:
        """Runs were counted; the latest of each probe is kept."""
        state = self.of(agent)
        state.runs += len(runs)
        latest: dict[str, tuple[Run, Seen]] = {}
        for run, seen in runs:
            state.run_ms = max(state.run_ms, seen.at_ms)
            if run.probe not in latest or seen.newer_than(latest[run.probe][1]):
                latest[run.probe] = (run, seen)
        for probe, (run, seen) in latest.items():
            held = self._probes.get((agent, probe))
            if held is None or seen.newer_than(Seen(held.run_id, held.at_ms, held.certain)):
                self._probes[(agent, probe)] = _probe_state(agent, run, seen)
                self._changed.add((agent, probe))

    def flush(self) -> None:
        """Write every agent of the batch and the probes that changed."""
        upsert(self._c, AGENT_STATES, [_values(state) for state in self._states.values()])
        upsert(self._c, PROBE_STATES, [_values(self._probes[owner]) for owner in sorted(self._changed)])


def _probe_state(agent: str, run: Run, seen: Seen) -> ProbeState:
    error = storable(run.error.message) if run.error else ""
    hint = storable(run.error.hint) if run.error else ""
    return ProbeState(agent, run.probe, str(run.status), seen.at_ms, run.id, seen.certain, error, hint)


def _values(row: AgentState | ProbeState) -> dict[str, Any]:
    """The fields as a dict; dataclasses.asdict copies deeply and takes ten times as long."""
    return {name: getattr(row, name) for name in row.__slots__}
