"""The agent against a real Mosquitto: what is sent, said, held back and resent."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_send.agent_send_app import SECRET, credential, probe, running, settings, thing
from agent_send.agent_send_support import AGENT, Bench
from agent_send.fake_collector import FakeCollector
from hatang_agent.outbox import Order
from hatang_agent.outbox_reading import look_into
from hatang_agent.registry import Context, Result
from hatang_agent.sending import Policy
from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import BrokerAddress, Farewell
from hatang_agent.wire.secrets import config_key
from support.servers import Mosquitto
from support.wait import until


@pytest.fixture
def collector(mosquitto: Mosquitto) -> Iterator[FakeCollector]:
    """A collector that answers."""
    found = FakeCollector(mosquitto.port).start()
    yield found
    found.stop()


def waiting(folder: Path) -> int:
    """Runs and reports that still wait."""
    counts = look_into(folder)
    assert counts is not None
    return counts.runs + counts.reports


def test_reports_arrive_and_are_forgotten(
    mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path
) -> None:
    """Birth, beat, reports, goodbye; what was acknowledged leaves the outbox."""
    with running(tmp_path / "a", credential(mosquitto.port), settings(beat_s=0.2)):
        until(lambda: len(collector.ids()) >= 5, what="five runs")
        until(lambda: len(collector.beats) >= 2, what="two beats")
    until(lambda: collector.presences, what="the goodbye")

    (birth,) = collector.births
    assert (birth.agent, birth.path, birth.connection) == (AGENT, "main", 1)
    (goodbye,) = collector.presences
    assert goodbye.reason in (Farewell.STOP, Farewell.SHUTDOWN)
    assert (goodbye.epoch, goodbye.connection) == (birth.epoch, 1)
    assert [beat.number for beat in collector.beats][:2] == [1, 2]
    assert collector.ids() == [f"{birth.epoch}-{n}" for n in range(1, len(collector.ids()) + 1)]
    assert waiting(tmp_path / "a") == 0
    assert max(collector.deliveries.values()) == 1


def test_change_is_sent_at_once(mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path) -> None:
    """A change of facts does not wait for the next report."""
    state = ["first"]

    def measure(_: Context) -> Result:
        return thing(state[0])

    slow = settings(report_s=600)
    with running(tmp_path / "a", credential(mosquitto.port), slow, {"thing": probe("thing", 0.1, measure)}):
        until(lambda: collector.runs(), what="the first report")
        state[0] = "second"
        changed = until(
            lambda: [
                run for run in collector.runs() if run.facts and run.facts[0].fields["state"] == "second"
            ],
            3,
            "the change",
        )

    assert changed[0].facts_digest != collector.runs()[0].facts_digest


def test_unchanged_facts_are_left_out(mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path) -> None:
    """Once acknowledged, the same facts travel as their digest only."""
    probes = {"thing": probe("thing", 0.2, lambda _: thing("same"))}
    with running(tmp_path / "a", credential(mosquitto.port), None, probes):
        until(lambda: any(run.unchanged for run in collector.runs()), what="an unchanged run")

    full, short = collector.runs()[0], next(run for run in collector.runs() if run.unchanged)
    assert full.facts
    assert not short.facts
    assert short.facts_digest == full.facts_digest


def test_lost_ack_is_resent_and_same_bytes(
    mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report whose acknowledgement got lost is sent again, byte for byte, and then forgotten."""
    monkeypatch.setattr("hatang_agent.sending.ACK_WAIT_MS", 300)
    collector.forget_acks = 1
    with running(tmp_path / "a", credential(mosquitto.port)):
        until(lambda: 2 in collector.deliveries.values(), what="a second delivery")
        until(lambda: len(collector.ids()) >= 4, what="later runs")

    assert waiting(tmp_path / "a") == 0
    assert len(set(collector.ids())) == len(collector.ids())


def test_rejected_report_is_not_resent(
    mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path
) -> None:
    """What the collector refuses for good leaves the outbox, and the agent goes on."""
    collector.reject = "out_of_range"
    with running(tmp_path / "a", credential(mosquitto.port)):
        until(lambda: len(collector.deliveries) >= 2, what="two reports")
        collector.reject = None
        until(lambda: collector.ids(), what="a report that is taken")

    assert max(collector.deliveries.values()) == 1
    assert waiting(tmp_path / "a") == 0


def test_broker_killed_and_restarted(mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path) -> None:
    """After a broker's kill -9 the agent is back within 6 s and nothing is missing."""
    with running(tmp_path / "a", credential(mosquitto.port)):
        until(lambda: collector.ids(), what="a first run")
        mosquitto.kill()
        before = len(collector.births)
        until(lambda: waiting(tmp_path / "a") >= 3, what="runs that wait")
        mosquitto.start()
        until(lambda: len(collector.births) > before, 6.5, "the reconnect")
    until(lambda: waiting(tmp_path / "a") == 0, what="everything delivered")

    numbers = sorted(int(run.rpartition("-")[2]) for run in set(collector.ids()))
    assert numbers == list(range(1, len(numbers) + 1))
    assert [birth.connection for birth in collector.births][-1] > 1


def test_collector_absent_holds_back_then_drains(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Nobody listens: one probing report, not a stream; with the hello everything comes."""
    with running(tmp_path / "a", credential(mosquitto.port)):
        until(lambda: waiting(tmp_path / "a") >= 12, what="runs that wait")
        counts = look_into(tmp_path / "a")
        assert counts is not None
        assert counts.reports <= 2
        collector = FakeCollector(mosquitto.port).start()
        until(lambda: len(collector.ids()) >= 12, 5, "the kept runs")
    collector.stop()

    assert waiting(tmp_path / "a") == 0
    assert len(set(collector.ids())) == len(collector.ids())


def test_silent_collector_gets_a_window_and_no_more(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """At most 8 reports are under way while none is acknowledged."""
    collector = FakeCollector(mosquitto.port, answers=False).start()
    with running(
        tmp_path / "a", credential(mosquitto.port), settings(report_s=0.05), {"c": probe("c", 0.05)}
    ):
        until(lambda: len(collector.deliveries) >= 8, what="a full window")
        until(lambda: waiting(tmp_path / "a") >= 30, what="more runs")
        assert len(collector.deliveries) == 8
        collector.stop()
        answering = FakeCollector(mosquitto.port, epoch="d" * 16).start()
        until(lambda: len(answering.ids()) >= 30, 5, "all runs after the collector's return")
        until(lambda: f"{answering.births[0].epoch}-1" in answering.ids(), 5, "the very first run")
    answering.stop()

    assert len(set(answering.ids())) == len(answering.ids())


def test_fresh_report_overtakes_a_backlog(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A change behind a backlog of hundreds of reports is seen at once, and the backlog drains."""
    folder = tmp_path / "a"
    folder.mkdir()
    bench = Bench(folder)
    bench.time.boot_id = "long-ago"
    outbox = bench.open()
    for _ in range(500):
        outbox.commit(bench.run())
        outbox.seal(bench.time.clock(), Order.OLDEST)
    outbox.close()
    collector = FakeCollector(mosquitto.port).start()
    with running(folder, credential(mosquitto.port)):
        until(lambda: collector.ids("counter"), 5, "the fresh run")
        arrived = len(collector.journal)
        until(lambda: len(collector.ids("usage")) == 500, 30, "the backlog")
    collector.stop()

    assert arrived < 500
    assert waiting(folder) == 0
    numbers = [int(run.rpartition("-")[2]) for run in collector.ids("usage")]
    assert numbers == sorted(numbers)


def test_backlog_keeps_to_its_byte_rate(
    mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path
) -> None:
    """Under a small byte rate the backlog trickles while fresh reports pass."""
    folder = tmp_path / "a"
    folder.mkdir()
    bench = Bench(folder)
    bench.time.boot_id = "long-ago"
    outbox = bench.open()
    for _ in range(200):
        outbox.commit(bench.run())
        outbox.seal(bench.time.clock(), Order.OLDEST)
    outbox.close()
    slow = Policy(60_000, backlog_bytes_per_s=2_000, backlog_delay_ms=0, return_pause_ms=0)
    with running(folder, credential(mosquitto.port), policy=slow):
        until(lambda: len(collector.ids("counter")) >= 8, what="fresh runs")
        backlog = len(collector.ids("usage"))

    assert 1 <= backlog < 60


def test_signed_configuration_steers_and_forged_does_not(
    mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path
) -> None:
    """A genuine configuration changes the rhythm without a restart; a forged one is told and ignored."""
    from hatang_agent import registry

    probes = {"counter": probe(interval_s=60), "agent": registry.probes()["agent"]}
    folder = tmp_path / "a"

    def told() -> list[tuple[object, object]]:
        facts = [fact for run in collector.runs() for fact in run.facts if fact.kind == "config"]
        return [(fact.fields["number"], fact.fields["state"]) for fact in facts]

    with running(folder, credential(mosquitto.port), settings(report_s=1), probes):
        until(lambda: collector.ids("counter"), what="the first run")
        forged = codec.sign(b"another key", AGENT, 7, {"probes": {"counter": {"interval_s": 1}}})
        collector.publish(topics.config(AGENT), codec.encode(forged), retain=True)
        until(lambda: told() == [(7, "refused")], what="the refusal")
        genuine = codec.sign(config_key(SECRET), AGENT, 3, {"probes": {"counter": {"interval_s": 1}}})
        collector.publish(topics.config(AGENT), codec.encode(genuine), retain=True)
        until(lambda: told()[-1] == (3, "accepted"), what="the acceptance")
        until(lambda: len(collector.ids("counter")) >= 3, what="the new rhythm")

    with running(folder, credential(mosquitto.port), settings(report_s=1), probes):
        count = len(collector.ids("counter"))
        until(lambda: len(collector.ids("counter")) >= count + 3, what="the rhythm after a restart")


def test_clone_and_restored_folder(mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path) -> None:
    """Two copies of one folder stay connected together; runs of before keep their ids in both."""
    folder = tmp_path / "a"
    folder.mkdir()
    bench = Bench(folder)
    outbox = bench.open()
    runs = [bench.run() for _ in range(3)]
    for run in runs:
        outbox.commit(run)
    outbox.close()
    shutil.copytree(folder, tmp_path / "b")
    with running(folder, credential(mosquitto.port)), running(tmp_path / "b", credential(mosquitto.port)):
        until(lambda: len({run.split("-")[0] for run in collector.ids("counter")}) == 2, what="both")
        until(lambda: len(collector.ids("usage")) == 6, what="the old runs, twice")
        connected = len(collector.births)
    until(lambda: len(collector.presences) == 2, what="both goodbyes")

    assert connected == 2
    assert set(collector.ids("usage")) == {run.id for run in runs}
    assert {presence.reason for presence in collector.presences} <= {Farewell.STOP, Farewell.SHUTDOWN}


def test_paths_keep_to_their_policy(mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path) -> None:
    """Each path has its own birth and beats; reports travel only where policy lets them."""
    both = dataclasses.replace(
        credential(mosquitto.port),
        brokers=(
            BrokerAddress("127.0.0.1", mosquitto.port, "cpnet", False, reports=False),
            BrokerAddress("127.0.0.1", mosquitto.port, "ftth", False, beats=False),
            BrokerAddress("127.0.0.1", 1, "dead", False),
        ),
    )
    with running(tmp_path / "a", both, settings(beat_s=0.2)):
        until(lambda: len(collector.ids()) >= 2 and len(collector.beats) >= 3, what="runs and beats")
    until(lambda: len(collector.presences) == 2, what="two goodbyes")

    assert {birth.path for birth in collector.births} == {"cpnet", "ftth"}
    assert {presence.path for presence in collector.presences} == {"cpnet", "ftth"}
    assert [beat.number for beat in collector.beats] == list(range(1, len(collector.beats) + 1))


def test_without_a_path_for_reports_all_is_kept(
    mosquitto: Mosquitto, collector: FakeCollector, tmp_path: Path
) -> None:
    """Where policy forbids reports everywhere, the runs wait."""
    none = dataclasses.replace(
        credential(mosquitto.port),
        brokers=(BrokerAddress("127.0.0.1", mosquitto.port, "cpnet", False, reports=False),),
    )
    with running(tmp_path / "a", none):
        until(lambda: waiting(tmp_path / "a") >= 5 and collector.births, what="runs that wait")

    assert not collector.deliveries


def test_birth_is_retained(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A collector that comes later still learns of the connection."""
    with running(tmp_path / "a", credential(mosquitto.port)):
        early = FakeCollector(mosquitto.port).start()
        until(lambda: early.births, what="the birth")
        late = FakeCollector(mosquitto.port, epoch="d" * 16).start()
        until(lambda: late.births, what="the retained birth")
        early.stop()
        late.stop()

    assert late.births[-1] == early.births[-1]
