"""The agent as a process: kill -9, signals, one folder for one agent, the commands on its folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_send.agent_send_app import credential
from agent_send.fake_collector import FakeCollector
from hatang_agent.identity import save_credential
from hatang_agent.outbox import FILE_NAME
from hatang_agent.outbox_reading import look_into
from hatang_agent.outbox_rows import Counts
from hatang_agent.wire.messages import Farewell
from support.servers import Mosquitto
from support.wait import until

AGENT_FOLDER = Path(__file__).parent.parent.parent / "agent"
NOTHING = Counts(0, 0, 0, 0, 0, None, ())
QUICK = """
[schedule]
sample_s = 1
first_spread_s = 0
[reporting]
report_s = 1
beat_s = 1
keepalive_s = 10
[agent]
log_level = "info"
"""


def command(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One command of the agent on a state folder."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "hatang_agent", words[0], "--state", str(folder), *words[1:]],
        env={**os.environ, "PYTHONPATH": str(AGENT_FOLDER)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The agent as a process of its own, killed at the end if it still runs."""
    settings = folder.with_name("agent.toml")
    settings.write_text(QUICK, encoding="utf-8")
    with subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-m", "hatang_agent", "run"),
            *("--config", str(settings), "--state", str(folder)),
        ],
        env={**os.environ, "PYTHONPATH": str(AGENT_FOLDER)},
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()
            child.communicate()


def test_kill_9_loses_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Reports that were never acknowledged are delivered after the next start, under the same run ids."""
    folder = tmp_path / "state"
    save_credential(folder, credential(mosquitto.port))
    silent = FakeCollector(mosquitto.port, answers=False).start()
    with process(folder) as agent:
        until(lambda: len(silent.deliveries) >= 2, 20, "reports that nobody acknowledges")
        agent.kill()
    silent.stop()
    kept = look_into(folder)
    assert kept is not None
    assert kept.reports >= 2

    collector = FakeCollector(mosquitto.port, epoch="e" * 16).start()
    with process(folder) as agent:
        until(lambda: set(silent.deliveries) <= set(collector.journal), 45, "the reports of before")
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(5) == 0
    until(lambda: collector.presences, what="the goodbye")
    collector.stop()

    ids = collector.ids()
    assert len(ids) == len(set(ids))
    for epoch in {run.partition("-")[0] for run in ids}:
        numbers = sorted(int(run.partition("-")[2]) for run in ids if run.startswith(epoch))
        assert numbers == list(range(1, len(numbers) + 1))


def test_will_is_said_by_the_broker(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A killed agent is announced as lost, with the epoch and connection of its birth."""
    folder = tmp_path / "state"
    save_credential(folder, credential(mosquitto.port))
    collector = FakeCollector(mosquitto.port).start()
    with process(folder) as agent:
        until(lambda: collector.births, 20, "the birth")
        agent.kill()
        until(lambda: collector.presences, 10, "the will")
    collector.stop()

    (will,), (birth,) = collector.presences, collector.births
    assert will.reason is Farewell.LOST
    assert (will.epoch, will.path, will.connection) == (birth.epoch, birth.path, birth.connection)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ends_cleanly_on_signals(mosquitto: Mosquitto, tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends it with code 0, a goodbye and nothing on standard error but its log."""
    folder = tmp_path / "state"
    save_credential(folder, credential(mosquitto.port))
    collector = FakeCollector(mosquitto.port).start()
    with process(folder) as agent:
        until(lambda: collector.ids(), 20, "the first report")
        agent.send_signal(number)
        assert agent.wait(5) == 0
        errors = agent.stderr.read() if agent.stderr else ""
    until(lambda: collector.presences, what="the goodbye")
    collector.stop()

    assert collector.presences[0].reason in (Farewell.STOP, Farewell.SHUTDOWN)
    assert "Traceback" not in errors


def test_second_agent_on_a_folder_is_refused(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Two agents never share a state folder; the outbox and the doctor may be asked meanwhile."""
    folder = tmp_path / "state"
    save_credential(folder, credential(mosquitto.port))
    collector = FakeCollector(mosquitto.port).start()
    with process(folder) as agent:
        until(lambda: collector.ids(), 20, "the first report")
        second = command("run", folder=folder)
        shown = command("outbox", "--json", folder=folder)
        doctor = command("doctor", "--lang", "en", folder=folder)
        assert agent.poll() is None
    collector.stop()

    assert second.returncode == 2
    assert f"another agent (process {agent.pid}) uses this folder" in second.stderr
    assert second.stderr.count("\n") == 1
    assert json.loads(shown.stdout)["used_bytes"] > 0
    assert doctor.returncode == 0, doctor.stdout
    assert "the agent is running" in doctor.stdout
    assert "a collector is there" in doctor.stdout


def test_commands_before_enrolment(tmp_path: Path) -> None:
    """Without an identity each command says in one line what to do."""
    ran = command("run", folder=tmp_path / "state")
    shown = command("outbox", folder=tmp_path / "other")
    doctor = command("doctor", folder=tmp_path / "other")

    assert (ran.returncode, shown.returncode, doctor.returncode) == (2, 1, 1)
    assert "hatang-agent enroll" in ran.stderr
    assert ran.stderr.count("\n") == shown.stderr.count("\n") == 1
    assert "chưa ghi danh" in doctor.stdout


def test_doctor_names_what_is_bad(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """A dead broker, and a broker without a collector, are bad lines with a next step."""
    folder = tmp_path / "state"
    save_credential(folder, credential(mosquitto.port))
    without = command("doctor", "--lang", "en", folder=folder)
    mosquitto.stop()
    dead = command("doctor", folder=folder)

    assert without.returncode == dead.returncode == 1
    assert "BAD  main 127.0.0.1" in without.stdout
    assert "no collector is there" in without.stdout
    assert "không kết nối được" in dead.stdout


def test_ends_in_time_while_the_broker_is_mute(tmp_path: Path) -> None:
    """A broker that accepts and never answers does not keep the agent from ending, nor from measuring."""
    folder = tmp_path / "state"
    with socket.create_server(("127.0.0.1", 0)) as mute:
        save_credential(folder, credential(mute.getsockname()[1]))
        with process(folder) as agent:
            until(
                lambda: (folder / FILE_NAME).exists() and (look_into(folder) or NOTHING).runs >= 3, 20, "runs"
            )
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(5) == 0
