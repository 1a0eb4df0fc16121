"""Every execution of a probe leaves a run that says how it ended."""

from __future__ import annotations

import hashlib
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from hatang_agent.registry import Context, Field, NoData, Probe, ProbeError, Result
from hatang_agent.runner import Runner, facts_digest
from hatang_agent.system import CommandMissing, CommandTimeout, LocalSystem
from hatang_agent.wire import codec
from hatang_agent.wire.report import Fact, RunError, Sample, Status
from support.wait import until

FIELDS = (Field("t.a", "a", "a", tags=("where",)), Field("disk.model", "m", "m", fact=True))


@dataclass(frozen=True, slots=True)
class Config:
    """No settings."""


def probe(measure: Callable[[Context], Result], deadline_s: float = 5) -> Probe:
    """A probe called ``test`` around a function."""
    return Probe("test", "doc", Config, 60, deadline_s, frozenset({"pc"}), FIELDS, measure)


def raising(error: Exception) -> Probe:
    """A probe that fails in one way."""

    def measure(context: Context) -> Result:
        raise error

    return probe(measure)


@pytest.fixture
def runner() -> Runner:
    """A runner on this machine with rising ids."""
    numbers: Iterator[int] = itertools.count(1)
    return Runner(LocalSystem(), lambda: f"{'ab' * 8}-{next(numbers)}")


def test_a_good_run_carries_what_was_measured(runner: Runner) -> None:
    """Samples, facts, their digest, the clock at the start and rising ids."""
    sample, fact = Sample("t.a", 1.5, "%", {"where": "x"}), Fact("disk", "sda", {"model": "m"})
    good = probe(lambda _: Result([sample], [fact]))
    before = LocalSystem().wall_ms()
    first, second = runner.execute(good, Config()), runner.execute(good, Config())
    assert (first.status, first.samples, first.facts, first.error) == (Status.OK, (sample,), (fact,), None)
    assert [first.id, second.id] == ["ab" * 8 + "-1", "ab" * 8 + "-2"]
    assert before <= first.clock.wall_ms <= LocalSystem().wall_ms()
    assert first.clock.boot_id == LocalSystem().boot_id() != ""
    assert first.facts_digest == second.facts_digest == facts_digest([fact])


def test_the_digest_of_facts_ignores_their_order() -> None:
    """SHA-256 of canonical JSON of the facts by kind and key; another content is another digest."""
    one, two = Fact("disk", "sda", {"a": 1, "b": None}), Fact("cpu", "", {})
    text = '[{"fields":{},"key":"","kind":"cpu"},{"fields":{"a":1,"b":null},"key":"sda","kind":"disk"}]'
    assert facts_digest([one, two]) == facts_digest([two, one]) == hashlib.sha256(text.encode()).hexdigest()
    assert facts_digest([one]) != facts_digest([two])
    assert facts_digest([]) == ""


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (NoData("no battery"), Status.NO_DATA, RunError("no battery")),
        (NoData(), Status.NO_DATA, None),
        (ProbeError("modem is mute", "plug it in"), Status.FAILED, RunError("modem is mute", "plug it in")),
        (
            CommandMissing(["ethtool", "-P"]),
            Status.FAILED,
            RunError("command not found: ethtool -P", "install ethtool"),
        ),
        (
            PermissionError(13, "no", "/secret"),
            Status.FAILED,
            RunError("no right to read /secret", "run the agent as a service with its rights"),
        ),
        (
            KeyError("x"),
            Status.FAILED,
            RunError("KeyError: 'x'", "a fault of the program; please report it with the version"),
        ),
    ],
)
def test_each_failure_has_its_status(
    runner: Runner, error: Exception, status: Status, told: RunError | None
) -> None:
    """Nothing a probe raises escapes, and the run says what to do."""
    run = runner.execute(raising(error), Config())
    assert (run.status, run.error) == (status, told)
    assert codec.plain(run)["status"] == str(status)


def test_a_slow_command_is_a_failure_not_a_timeout(runner: Runner) -> None:
    """A killed command says which one."""
    run = runner.execute(raising(CommandTimeout(["df"], 3)), Config())
    assert run.status is Status.FAILED
    assert run.error is not None
    assert run.error.message == "command took longer than 3 s: df"


def test_a_disabled_probe_is_not_called(runner: Runner) -> None:
    """The run says disabled and nothing was executed."""
    run = runner.execute(raising(AssertionError("called")), Config(), enabled=False)
    assert (run.status, run.error) == (Status.DISABLED, None)


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (Result([Sample("t.b", 1, "")]), "t.b"),
        (Result([Sample("t.a", 1, "", {"user": "x"})]), "tag user of t.a"),
        (Result(facts=[Fact("disk", "sda", {"serial": "x"})]), "disk.serial"),
        (Result(facts=[Fact("login", "", {"name": "x"})]), "login.name"),
    ],
)
def test_an_undeclared_field_never_leaves(runner: Runner, result: Result, name: str) -> None:
    """The run fails naming the field, and carries nothing of what was measured."""
    run = runner.execute(probe(lambda _: result), Config())
    assert run.status is Status.FAILED
    assert run.error is not None
    assert name in run.error.message
    assert (run.samples, run.facts, run.facts_digest) == ((), (), "")


@pytest.mark.parametrize(
    "result",
    [
        Result([Sample("t.a", float("nan"), "")]),
        Result([Sample("t.a", float("inf"), "")]),
        Result([Sample("t.a", 1, "", {"where": "x" * 129})]),
        Result([Sample("t.a", 1, "", {"where": "a\nb"})]),
        Result([Sample("t.a", "1", "")]),  # type: ignore[arg-type]
        Result(facts=[Fact("disk", "sda", {"model": "x" * 5_000})]),
        Result(facts=[Fact("disk", "sda", {"model": ["x"]})]),  # type: ignore[dict-item]
        Result(facts=[Fact("disk", "k" * 200, {"model": "x"})]),
    ],
)
def test_what_the_collector_would_refuse_costs_one_run(runner: Runner, result: Result) -> None:
    """A value outside the wire's limits fails its own run instead of a whole report."""
    run = runner.execute(probe(lambda _: result), Config())
    assert run.status is Status.FAILED
    assert (run.samples, run.facts) == ((), ())


def test_a_stuck_probe_is_not_started_twice(runner: Runner) -> None:
    """Past its deadline the run says timeout; until it ends it is not started again, then it is."""
    release, calls = threading.Event(), []

    def measure(context: Context) -> Result:
        calls.append(context.deadline_ms)
        release.wait(20)
        return Result([Sample("t.a", len(calls), "")])

    stuck = probe(measure)
    first = runner.execute(stuck, Config(), deadline_s=0.05)
    second = runner.execute(stuck, Config(), deadline_s=0.05)
    assert [first.status, second.status, len(calls)] == [Status.TIMEOUT, Status.TIMEOUT, 1]
    assert first.error is not None
    assert first.error.message == "took longer than 0.05 s"
    assert second.error is not None
    assert second.error.message == "the run before this one has not ended yet"
    assert 50 <= first.took_ms < 5_000
    release.set()
    until(lambda: not any(thread.name == "probe-test" for thread in threading.enumerate()))
    third = runner.execute(stuck, Config())
    assert (third.status, third.samples) == (Status.OK, (Sample("t.a", 2, ""),))


def test_memory_lives_between_runs(runner: Runner) -> None:
    """A probe finds what it left in its memory, and nobody else's."""

    def measure(context: Context) -> Result:
        context.memory["n"] = context.memory.get("n", 0) + 1
        return Result([Sample("t.a", context.memory["n"], "")])

    counted = [runner.execute(probe(measure), Config()).samples[0].value for _ in range(3)]
    assert counted == [1, 2, 3]


def test_logging_only_when_something_changes(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    """Once when a probe breaks, once when it recovers, however often it runs."""
    outcomes: list[Any] = ["ok", "bad", "bad", "bad", "none", "ok", "ok"]

    def measure(context: Context) -> Result:
        outcome = outcomes.pop(0)
        if outcome == "bad":
            raise ProbeError("broken", "mend it")
        if outcome == "none":
            raise NoData("gone")
        return Result()

    with caplog.at_level(logging.INFO):
        for _ in range(7):
            runner.execute(probe(measure), Config())
    assert caplog.messages == ["probe test: failed: broken; mend it", "probe test works again: no_data"]
