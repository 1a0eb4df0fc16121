"""The agent's own probe, and what a run means for the rhythm of reports."""

from __future__ import annotations

from pathlib import Path

from agent_send.agent_send_support import Bench
from hatang_agent import registry, runner
from hatang_agent.probes import agent as own_probe
from hatang_agent.probes.agent import Own, with_own
from hatang_agent.runner import Runner
from hatang_agent.sampling import Changes, News
from hatang_agent.system import LocalSystem
from hatang_agent.wire.report import Fact, Status


def test_everything_it_sends_is_declared() -> None:
    """The figures that the running agent adds are in FIELDS like those the probe measures itself."""
    probe = registry.probes()["agent"]
    run = Runner(LocalSystem(), lambda: "0123456789abcdef-1").execute(probe, own_probe.Config())
    full = with_own(run, Own(1, 2, 3, 4, (7, "refused", "its signature is not for this agent")))

    assert run.status is Status.OK
    runner.refuse_undeclared(probe, registry.Result(full.samples, full.facts))
    values = {sample.name: sample.value for sample in full.samples}
    assert values["agent.rss_bytes"] > values["agent.anon_bytes"] > 1_000_000
    assert values["agent.cpu_seconds"] > 0
    assert full.facts == (
        Fact(
            "config",
            "signed",
            {"number": 7, "state": "refused", "reason": "its signature is not for this agent"},
        ),
    )


def test_hostile_process_name_does_not_shift_the_figures() -> None:
    """Processor time is counted behind the name, whatever the name holds."""
    line = "42 (a) b 9 9 9 9) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 4 0 100 0 0"

    assert own_probe._cpu_seconds(line) == 2.0
    assert own_probe._cpu_seconds("") is None
    assert own_probe._memory("VmRSS:\t  12 kB\nRssAnon: x kB\n")[0].value == 12 * 1024


def test_changes_are_of_status_or_facts(tmp_path: Path) -> None:
    """The first run is first, another status or other facts are a change, samples alone are not."""
    bench, changes = Bench(tmp_path), Changes()
    one, two = (Fact("thing", "", {"n": 1}),), (Fact("thing", "", {"n": 2}),)
    runs = [
        bench.run("p", one),
        bench.run("p", one),
        bench.run("p", two),
        bench.run("q", two),
        bench.run("p"),
    ]

    assert [changes.news(run) for run in runs] == [
        News.FIRST,
        News.SAME,
        News.CHANGED,
        News.FIRST,
        News.CHANGED,
    ]
