"""The sampling thread: runs each probe when it is due and makes its run durable at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum

from hatang_agent.config import ProbePlan
from hatang_agent.outbox import Outbox
from hatang_agent.registry import Probe
from hatang_agent.runner import Runner
from hatang_agent.schedule import Schedule
from hatang_agent.system import System
from hatang_agent.wire.report import Run, Status

log = logging.getLogger(__name__)

DISABLED_INTERVAL_S = 24 * 3600
"""A probe that was switched off says so once a day: silence is never a result."""

# A computer that slept is noticed at the next look, whatever the wait was.
_LONGEST_WAIT_S = 15.0


class News(StrEnum):
    """What a run means for the rhythm of reports."""

    FIRST = "first"
    CHANGED = "changed"
    SAME = "same"


class Changes:
    """Tells whether a run differs from the one before it of the same probe, in status or facts."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Status, str]] = {}

    def news(self, run: Run) -> News:
        """Compare with the run before, and remember this one."""
        now = (run.status, run.facts_digest)
        before = self._last.get(run.probe)
        self._last[run.probe] = now
        if before is None:
            return News.FIRST
        return News.SAME if before == now else News.CHANGED


class Sampler:
    """Owns the schedule. ``told`` is called on the sampling thread after each run was committed."""

    def __init__(
        self,
        system: System,
        probes: Mapping[str, Probe],
        runner: Runner,
        outbox: Outbox,
        finish: Callable[[Run], Run],
        told: Callable[[Run, News], None],
    ) -> None:
        self._system = system
        self._probes = probes
        self._runner = runner
        self._outbox = outbox
        self._finish = finish
        self._told = told
        self._changes = Changes()
        self._plans: Mapping[str, ProbePlan] = {}
        self._schedule: Schedule | None = None
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._stopping = False
        self._broken = False
        self._thread = threading.Thread(target=self._work, name="sampling", daemon=True)

    def plan(self, plans: Mapping[str, ProbePlan], first_spread_s: float) -> None:
        """Take over how the probes are to be run; holds from now on, without a restart."""
        intervals = {
            name: plan.interval_s if plan.enabled else DISABLED_INTERVAL_S for name, plan in plans.items()
        }
        now = self._system.boot_ms()
        with self._lock:
            self._plans = dict(plans)
            if self._schedule is None:
                self._schedule = Schedule(intervals, now, self._system.random, first_spread_s)
            else:
                self._schedule.change(intervals, now)
        self._woken.set()

    def run_now(self, name: str) -> None:
        """Make a probe due at once."""
        with self._lock:
            if self._schedule is not None:
                self._schedule.run_now(name, self._system.boot_ms())
        self._woken.set()

    def start(self) -> None:
        """Begin; :meth:`plan` comes before."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the run that is under way, or leave it behind after the timeout."""
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._stopping:
            try:
                self._run_due()
                self._broken = False
            except Exception:  # the agent outlives a fault of its own
                if not self._broken:
                    log.exception("sampling failed; going on")
                self._broken = True
            self._woken.wait(self._pause_s())
            self._woken.clear()

    def _run_due(self) -> None:
        with self._lock:
            due = self._schedule.due(self._system.boot_ms()) if self._schedule is not None else []
            plans = self._plans
        for name in due:
            if self._stopping:
                return
            plan = plans[name]
            run = self._runner.execute(self._probes[name], plan.config, enabled=plan.enabled)
            run = self._finish(run)
            self._outbox.commit(run)
            self._told(run, self._changes.news(run))

    def _pause_s(self) -> float:
        with self._lock:
            due = self._schedule.next_ms() if self._schedule is not None else None
        if self._broken or due is None:
            return 1.0
        return min(max(due - self._system.boot_ms(), 0) / 1000, _LONGEST_WAIT_S)
