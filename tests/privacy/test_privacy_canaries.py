"""People's things are planted on recorded machines; none of them leaves, in any message, nor in the log."""

from __future__ import annotations

import dataclasses
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_send.agent_send_app import QUICK, credential, settings
from agent_send.fake_collector import FakeCollector
from hatang_agent import config, enrolment, registry
from hatang_agent.app import App
from hatang_agent.identity import save_credential
from hatang_agent.registry import Context, Probe, Result
from hatang_agent.runner import Runner
from hatang_agent.system import LocalSystem, System
from hatang_agent.wire import codec
from hatang_agent.wire.messages import Farewell
from hatang_agent.wire.report import Run, Sample
from privacy.planted import CASES, DOCUMENT, HOST, LINUX_HOME, MAIL, MARK, USER, WINDOWS_HOME, Awake, plant
from privacy.wiretap import Wiretap
from support.servers import Mosquitto
from support.wait import until

PROBES = registry.probes()
TELL_SYSTEM = [case for case in CASES if '"os"' in (case / "expected.json").read_text(encoding="utf-8")]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture
def wiretap(mosquitto: Mosquitto) -> Iterator[Wiretap]:
    """A listener on the broker of this test."""
    tap = Wiretap(mosquitto.port)
    yield tap
    tap.stop()


def lives_on(machine: Awake, folder: Path, port: int) -> App:
    """An agent on a recorded machine with every probe, quick to report."""
    folder.mkdir()
    identity = credential(port)
    save_credential(folder, identity)
    quick = {"interfaces": {"first_reading_s": 0.01}, "usage": {"first_reading_s": 0.01}}
    every = {name: {**quick.get(name, {}), "enabled": True} for name in PROBES}
    chosen = dataclasses.replace(settings(report_s=1, beat_s=1), probes=every)
    return App(machine, folder, identity, chosen, PROBES, QUICK)


@each_case
def test_nothing_planted_is_published(
    case: Path,
    tmp_path: Path,
    mosquitto: Mosquitto,
    wiretap: Wiretap,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Birth, reports, beats, goodbye and log of an agent that ran every probe hold none of it."""
    caplog.set_level(logging.INFO)
    machine = Awake(plant(case, tmp_path))
    collector = FakeCollector(mosquitto.port).start()
    app = lives_on(machine, tmp_path / "state", mosquitto.port)
    thread = threading.Thread(target=app.run)
    thread.start()
    try:
        until(lambda: {run.probe for run in collector.runs()} >= set(PROBES), 40, "a run of every probe")
        until(lambda: collector.beats, what="a beat")
    finally:
        app.stop(Farewell.SHUTDOWN)
        thread.join(15)
    until(lambda: collector.presences, what="the goodbye")
    collector.stop()

    assert wiretap.kinds() >= {"birth", "report", "beat", "presence"}
    assert MARK not in wiretap.text()
    assert "canary" not in caplog.text.lower()
    assert "agent" in caplog.text
    statuses = {run.probe: str(run.status) for run in collector.runs()}
    assert {name: statuses[name] for name in measured(case)} == measured(case)


def measured(case: Path) -> dict[str, str]:
    """How each probe ended that the case was recorded for."""
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    return {name: one["status"] for name, one in expected.items() if name in PROBES}


@each_case
def test_nothing_planted_is_in_an_enrolment(case: Path, tmp_path: Path) -> None:
    """The request for an identity carries hardware values and what a person typed, nothing else."""
    machine = Awake(plant(case, tmp_path))
    wanted = enrolment.request(machine, "0123-4567", "Máy 01", "TS-01")

    sent = codec.canonical(codec.plain(wanted)).decode().lower()

    assert MARK not in sent
    assert "máy 01" in sent


def run_of(probe: Probe, system: System, **more: object) -> Run:
    """One run of a probe with its default settings and the policy on the host name."""
    chosen = config.plan(config.AgentConfig(), probe, "pc", host_name_key=b"k" * 32).config
    given = {key: value for key, value in more.items() if hasattr(chosen, key)}
    return Runner(system, lambda: "0" * 16 + "-1").execute(probe, dataclasses.replace(chosen, **given))


@each_case
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_tools_print_of_people_stays_here(case: Path, stream: str, tmp_path: Path) -> None:
    """A tool that says something else than expected, about people, is quoted as evidence without them."""
    machine = plant(case, tmp_path)
    outputs = json.loads((machine / "commands.json").read_text(encoding="utf-8")) if commands(machine) else []
    (machine / "odd.txt").write_text(ODD, encoding="utf-8")
    for entry in outputs:
        if entry["argv"] != BOOT_ID:
            entry.update({"stdout": "", "stderr": "", "exit": int(stream == "stderr"), stream: "odd.txt"})
    (machine / "commands.json").write_text(json.dumps(outputs), encoding="utf-8")
    system = Awake(machine)

    said = {name: json.dumps(codec.plain(run_of(probe, system))).lower() for name, probe in PROBES.items()}

    assert [name for name, text in said.items() if MARK in text] == []


BOOT_ID = ["sysctl", "-n", "kern.bootsessionuuid"]
ODD = f"{USER}\nerror: {LINUX_HOME}/{DOCUMENT}: {MAIL} {HOST} '{WINDOWS_HOME}\\my {DOCUMENT}'\n"


def commands(machine: Path) -> bool:
    """Whether the recording has answers of commands."""
    return (machine / "commands.json").is_file()


@pytest.mark.parametrize("case", TELL_SYSTEM, ids=lambda case: case.name)
def test_the_host_name_leaves_as_policy_says(case: Path, tmp_path: Path) -> None:
    """Keyed hash by default, the name itself only where policy allows it, nothing when it is off."""
    machine = Awake(plant(case, tmp_path))
    probe = PROBES["system"]

    sent = {
        policy: codec.plain(run_of(probe, machine, host_name=policy)) for policy in ("hmac", "plain", "off")
    }
    texts = {policy: json.dumps(run) for policy, run in sent.items()}

    assert HOST not in texts["hmac"]
    assert "host_name_hmac" in texts["hmac"]
    assert HOST in texts["plain"]
    assert "host_name" not in texts["off"]


def test_people_at_this_machine_stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that somebody runs, a document and a user's surroundings are nowhere in live runs."""
    monkeypatch.setenv("USER", USER)
    (tmp_path / DOCUMENT).write_text(MAIL, encoding="utf-8")
    system = LocalSystem()
    words = [sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path / DOCUMENT)]
    with subprocess.Popen(words) as process:
        try:
            runs = {name: run_of(probe, system, first_reading_s=0.01) for name, probe in PROBES.items()}
        finally:
            process.kill()

    said = {name: codec.encode(run) for name, run in runs.items()}
    assert [name for name, wire in said.items() if MARK in codec.inflate(wire).decode().lower()] == []


def test_the_planted_things_would_be_seen(tmp_path: Path) -> None:
    """The search is no empty one: what is planted can be read, and a probe that sends it would be caught."""
    machine = Awake(plant(next(case for case in CASES if case.name == "dell-desktop-debian-12"), tmp_path))

    def nosy(context: Context) -> Result:
        name = (context.system.read_text("/etc/passwd") or "").splitlines()[-1].partition(":")[0]
        return Result([Sample("usage.disk_used", 1, "B", {"mount": name})])

    run = run_of(dataclasses.replace(PROBES["usage"], measure=nosy), machine)

    assert MARK in codec.encode(run).decode()


def test_a_fault_is_told_without_people(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An error that quotes a file is sent and logged without the names of people in it."""
    machine = Awake(plant(next(case for case in CASES if case.name == "dell-desktop-debian-12"), tmp_path))

    def broken(context: Context) -> Result:
        raise ValueError(f"line 3: {context.system.read_text('/etc/passwd')}")

    run = run_of(dataclasses.replace(PROBES["usage"], measure=broken), machine)

    assert run.error is not None
    assert "ValueError: line 3: " in run.error.message
    assert MARK not in run.error.message
    assert "ValueError: line 3: " in caplog.text
    assert MARK not in caplog.text
