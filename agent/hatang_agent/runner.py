"""Runs a probe once and always leaves a run: ok, no_data, failed, timeout or disabled.

The only place of the agent where ``except Exception`` is right: a broken probe must cost its own
run and nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hatang_agent.registry import Context, NoData, Probe, ProbeError, Result
from hatang_agent.scrub import scrubbed, scrubbed_error
from hatang_agent.system import CommandMissing, CommandTimeout, System
from hatang_agent.wire import codec
from hatang_agent.wire.report import SCHEMA, Clock, Fact, Report, Run, RunError, Status

log = logging.getLogger(__name__)

MAX_MESSAGE = 500


def clock(system: System) -> Clock:
    """This instant on both clocks of a machine."""
    return Clock(system.wall_ms(), system.boot_ms(), system.boot_id())


def facts_digest(facts: Sequence[Fact]) -> str:
    """SHA-256 of the canonical JSON of the facts sorted by kind and key; empty without facts."""
    if not facts:
        return ""
    ordered = sorted(facts, key=lambda fact: (fact.kind, fact.key))
    return hashlib.sha256(codec.canonical(codec.plain(ordered))).hexdigest()


@dataclass(slots=True)
class _Outcome:
    """What a worker thread brings back."""

    status: Status = Status.TIMEOUT
    result: Result = field(default_factory=Result)
    error: RunError | None = None


class Runner:
    """Executes probes. One instance per process: it keeps each probe's memory between runs.

    Safe to call from several threads for different probes.
    """

    def __init__(self, system: System, next_run_id: Callable[[], str]) -> None:
        self._system = system
        self._next_run_id = next_run_id
        self._memory: dict[str, dict[str, Any]] = {}
        self._working: dict[str, threading.Thread] = {}
        self._last_status: dict[str, Status] = {}

    def execute(
        self, probe: Probe, config: Any, *, enabled: bool = True, deadline_s: float | None = None
    ) -> Run:
        """Run a probe now and wait for it, at most until its deadline. Never raises for the probe's sake.

        A probe that overran its deadline is not started again before it has ended; until then
        each call leaves a run that says ``timeout``.
        """
        deadline_s = probe.deadline_s if deadline_s is None else deadline_s
        started = clock(self._system)
        if not enabled:
            outcome = _Outcome(Status.DISABLED)
        elif probe.name in self._working and self._working[probe.name].is_alive():
            outcome = _Outcome(error=RunError("the run before this one has not ended yet", _TIMEOUT_HINT))
        else:
            outcome = self._work(probe, config, started, deadline_s)
        run = Run(
            id=self._next_run_id(),
            probe=probe.name,
            clock=started,
            took_ms=max(0, self._system.boot_ms() - started.boot_ms),
            status=outcome.status,
            samples=tuple(outcome.result.samples),
            facts=tuple(outcome.result.facts),
            error=outcome.error,
            facts_digest=facts_digest(outcome.result.facts),
        )
        self._log_transition(run)
        return run

    def _work(self, probe: Probe, config: Any, started: Clock, deadline_s: float) -> _Outcome:
        memory = self._memory.setdefault(probe.name, {})
        deadline_ms = started.boot_ms + int(deadline_s * 1000)
        context = Context(self._system, config, deadline_ms, memory)
        brought: list[_Outcome] = []
        worker = threading.Thread(
            target=lambda: brought.append(_worked(probe, context)), name=f"probe-{probe.name}", daemon=True
        )
        self._working[probe.name] = worker
        worker.start()
        worker.join(deadline_s)
        if brought:
            return brought[0]
        return _Outcome(error=RunError(f"took longer than {deadline_s:g} s", _TIMEOUT_HINT))

    def _log_transition(self, run: Run) -> None:
        before = self._last_status.get(run.probe, Status.OK)
        self._last_status[run.probe] = run.status
        if run.status is before:
            return
        if run.status in (Status.FAILED, Status.TIMEOUT):
            told = run.error or RunError("")
            hint = f"; {told.hint}" if told.hint else ""
            log.warning("probe %s: %s: %s%s", run.probe, run.status, told.message, hint)
        elif before in (Status.FAILED, Status.TIMEOUT):
            log.info("probe %s works again: %s", run.probe, run.status)


_TIMEOUT_HINT = "the system answers slowly or hangs; look at its load and its disks"


def _worked(probe: Probe, context: Context) -> _Outcome:
    """The outcome, whose error holds no words about people."""
    outcome = _measure(probe, context)
    outcome.error = scrubbed_error(outcome.error, context.system)
    return outcome


def _measure(probe: Probe, context: Context) -> _Outcome:
    try:
        result = scrubbed(probe.measure(context), context.system)
        refuse_undeclared(probe, result)
        _refuse_unsendable(probe, result)
    except NoData as error:
        return _Outcome(Status.NO_DATA, error=_error(str(error)))
    except ProbeError as error:
        return _Outcome(Status.FAILED, error=_error(error.message, error.hint))
    except CommandMissing as error:
        return _Outcome(Status.FAILED, error=_error(str(error), f"install {error.argv[0]}"))
    except CommandTimeout as error:
        return _Outcome(Status.FAILED, error=_error(str(error), _TIMEOUT_HINT))
    except PermissionError as error:
        hint = "run the agent as a service with its rights"
        return _Outcome(Status.FAILED, error=_error(f"no right to read {error.filename}", hint))
    except Exception as error:
        log.debug("probe %s failed unexpectedly", probe.name, exc_info=True)
        hint = "a fault of the program; please report it with the version"
        return _Outcome(Status.FAILED, error=_error(f"{type(error).__name__}: {error}", hint))
    return _Outcome(Status.OK, result)


def _error(message: str, hint: str = "") -> RunError | None:
    if not message and not hint:
        return None
    return RunError(message[:MAX_MESSAGE], hint[:MAX_MESSAGE])


def refuse_undeclared(probe: Probe, result: Result) -> None:
    """Raise ProbeError when a sample, tag or fact field is not in the probe's FIELDS."""
    samples = {item.name: set(item.tags) for item in probe.fields if not item.fact}
    facts = {item.name for item in probe.fields if item.fact}
    for sample in result.samples:
        if sample.name not in samples:
            raise _undeclared(probe, sample.name)
        for tag in sample.tags:
            if tag not in samples[sample.name]:
                raise _undeclared(probe, f"tag {tag} of {sample.name}")
    for fact in result.facts:
        for name in fact.fields:
            if f"{fact.kind}.{name}" not in facts:
                raise _undeclared(probe, f"{fact.kind}.{name}")


def _undeclared(probe: Probe, name: str) -> ProbeError:
    return ProbeError(
        f"sends {name}, which its FIELDS do not declare", f"add it to FIELDS of probe {probe.name}"
    )


def _refuse_unsendable(probe: Probe, result: Result) -> None:
    """Raise ProbeError when the collector would refuse the run, which would cost the whole report."""
    instant = Clock(0, 0, "")
    run = Run("0" * 16 + "-1", probe.name, instant, 0, Status.OK, tuple(result.samples), tuple(result.facts))
    report = Report(SCHEMA, "a" * 16, "0" * 16, 1, None, instant, "pc", "0", (run,))
    try:
        codec.decode(codec.canonical(codec.plain(report)))
    except ValueError as error:
        raise ProbeError(f"measured what cannot be sent: {error}", "a fault of the program") from error
