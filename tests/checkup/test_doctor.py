"""The doctor on real brokers, addresses that are dead, and machines that hang."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent_send.agent_send_app import SECRET, credential
from agent_send.agent_send_support import AGENT
from agent_send.certificates import Authority
from agent_send.fake_collector import FakeCollector
from hatang_agent import checkup_probes, config, registry
from hatang_agent.checkup import Area, Finding, State
from hatang_agent.commands import doctor
from hatang_agent.config import AgentConfig
from hatang_agent.identity import Credential, save_credential
from hatang_agent.registry import Context, Field, Probe, Result
from hatang_agent.remoteconfig import FILE_NAME
from hatang_agent.system import LocalSystem
from hatang_agent.wire import codec
from hatang_agent.wire.messages import BrokerAddress
from hatang_agent.wire.report import Sample
from hatang_agent.wire.secrets import config_key
from privacy.wiretap import Wiretap
from services.service_servers import page, program
from support.namespaces import no_namespaces
from support.servers import Mosquitto

AGENT_FOLDER = Path(__file__).parents[2] / "agent"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(AGENT_FOLDER)}
DEAD = "192.0.2.1"
"""TEST-NET-1 (RFC 5737): nobody has it, and what is sent there is lost."""


@contextlib.contextmanager
def blackhole() -> Iterator[int]:
    """A port where connections are taken by the kernel and never by a program, until it takes no more."""
    import socket

    with contextlib.ExitStack() as stack:
        mute = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        port = mute.getsockname()[1]
        for _ in range(4):
            knock = stack.enter_context(socket.socket())
            knock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                knock.connect(("127.0.0.1", port))
        yield port


@dataclass(frozen=True)
class NoSettings:
    """A probe's Config without settings."""


def probe(name: str, measure: Callable[[Context], Result]) -> Probe:
    """A probe of the test."""
    fields = (Field("x.y", "Một số", "a number"),)
    return Probe(name, "Of the test.", NoSettings, 60, 60, frozenset({"pc"}), fields, measure)


def fine(_context: Context) -> Result:
    """Measures something at once."""
    return Result([Sample("x.y", 1, "")])


def look(
    folder: Path,
    probes: dict[str, Probe] | None = None,
    settings: AgentConfig | None = None,
    url: str = "",
    total_s: float = 8.0,
) -> dict[str, Finding]:
    """The findings by code; of several with one code the last."""
    found = doctor.examine(
        LocalSystem(),
        folder,
        settings or AgentConfig(),
        probes or {"x": probe("x", fine)},
        url,
        None,
        total_s,
    )
    return {one.code: one for one in found}


def test_all_is_well(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """An enrolled machine with a broker and a collector: nothing to do, and nothing was measured into it."""
    folder = tmp_path / "state"
    save_credential(folder, credential(mosquitto.port))
    collector = FakeCollector(mosquitto.port).start()
    tap = Wiretap(mosquitto.port)
    found = look(folder)
    heard = [topic for topic, _ in tap.heard if not topic.endswith("/collector")]
    tap.stop()
    collector.stop()

    assert heard == []
    assert found["collector.there"].state is State.GOOD
    assert found["broker.login"].state is State.GOOD
    assert found["config.none"].state is State.NOTE
    assert [one.code for one in found.values() if one.area is Area.COLLECTOR and one.to_do] == []
    assert sorted(path.name for path in folder.iterdir()) == ["agent.lock", "credential.json"]


def test_each_thing_that_can_be_wrong_with_a_broker(tmp_path: Path) -> None:
    """The login refused, another authority, a name without an address, nothing there: each its own code."""
    (tmp_path / "b").mkdir()
    closed = Mosquitto.make(tmp_path / "b", allow_anonymous="false", password_file=str(tmp_path / "none"))
    (tmp_path / "none").write_text("")
    closed.start()
    ours, theirs = Authority.make(), Authority.make()
    try:
        with program(context=theirs.server_context(tmp_path, "127.0.0.1")) as strange, blackhole() as mute:
            codes = {}
            for name, broker in {
                "refused": BrokerAddress("127.0.0.1", closed.port, "main", tls=False),
                "tls": BrokerAddress("127.0.0.1", strange.port, "main", tls=True),
                "name": BrokerAddress("khong-co.invalid", 8883, "main", tls=True),
                "nobody": BrokerAddress("127.0.0.1", 1, "main", tls=False),
                "mute": BrokerAddress("127.0.0.1", mute, "main", tls=True),
            }.items():
                folder = tmp_path / name
                save_credential(folder, Credential(AGENT, SECRET, "pc", (broker,), ours.pem))
                bad = [one for one in look(folder).values() if one.area is Area.COLLECTOR and one.to_do]
                assert all(one.todo.vi and one.todo.en for one in bad)
                codes[name] = [one.code for one in bad]
    finally:
        closed.stop()

    assert codes == {
        "refused": ["broker.refused"],
        "tls": ["broker.tls"],
        "name": ["broker.no_name"],
        "nobody": ["broker.unreachable"],
        "mute": ["broker.unreachable"],
    }


def test_the_settings_of_the_running_agent_hold(tmp_path: Path) -> None:
    """The kept signed configuration is applied; one that cannot be used is told."""
    folder = tmp_path / "state"
    save_credential(folder, credential(1))
    line = "qlvb tcp 127.0.0.1:1"
    for content, code in (
        ({"probes": {"services": {"targets": [line], "enabled": False}}}, "config.in_force"),
        ({"probes": {"services": {"targets": ["nonsense"]}}}, "config.refused"),
    ):
        signed = codec.sign(config_key(SECRET), AGENT, 7, content)
        (folder / FILE_NAME).write_bytes(codec.encode(signed))
        found = look(folder, {"services": registry.probes()["services"]})
        assert code in found
        assert ("probe.disabled" in found) is (code == "config.in_force")


def test_before_enrolment(tmp_path: Path) -> None:
    """What can be known is told, with the line that enrols; an address that is given is tried."""
    authority = Authority.make()
    pem = authority.pem.encode()
    with program(page(body=pem), authority.server_context(tmp_path, "127.0.0.1")) as collector:
        well = look(tmp_path / "state", url=f"https://127.0.0.1:{collector.port}")
    dead = look(tmp_path / "state", url="https://127.0.0.1:1")
    wrong = look(tmp_path / "state", url="ftp://127.0.0.1")

    assert "enroll --url" in well["identity.not_enrolled"].todo.vi
    assert well["probe.ok"].state is State.GOOD
    assert "mã ghim" in well["enrolment.there"].said.vi
    assert collector.heard[0].startswith(b"GET /ca.pem ")
    assert dead["enrolment.unreachable"].state is State.BAD
    assert wrong["enrolment.address"].state is State.BAD
    assert not (tmp_path / "state").exists()


def test_what_hangs_is_left_behind(tmp_path: Path) -> None:
    """A probe that never ends costs neither the others nor more than the time there is."""
    over = threading.Event()
    system = LocalSystem()

    def hangs(_context: Context) -> Result:
        over.wait(30)
        return Result()

    probes = {f"hangs{number}": probe(f"hangs{number}", hangs) for number in range(doctor.AT_ONCE * 2)}
    before = system.boot_ms()
    found = doctor.examine(
        system, tmp_path / "state", AgentConfig(), {"a": probe("a", fine), **probes}, total_s=1.0
    )
    took_ms = system.boot_ms() - before
    over.set()

    assert took_ms < 2_500
    told = [one for one in found if one.area is Area.PROBES]
    assert len(told) == len(probes) + 1
    assert [one.state for one in told].count(State.GOOD) == 1
    assert {one.code for one in told} <= {"probe.ok", "probe.timeout", "probe.late"}


def test_a_fault_of_a_check_is_not_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken check is told as one that gave no answer, and its fault is seen."""
    faults: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    monkeypatch.setattr(checkup_probes, "judge", lambda *_, **__: 1 / 0)

    found = look(tmp_path / "state")

    assert found["probe.late"].state is State.BAD
    assert [fault.exc_type for fault in faults] == [ZeroDivisionError]


def command(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The doctor as a process."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "hatang_agent", "doctor", *words],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False, **more,
    )  # fmt: skip


# A network whose gateway swallows every packet, and a name server behind it.
_DEAD_NETWORK = """
set -e
ip link set lo up
ip link add eth0 type veth peer name gone
ip addr add 10.99.0.2/24 dev eth0
ip link set eth0 up
ip link set gone up
ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
ip route add default via 10.99.0.1
mount --bind "$RESOLV_CONF" /etc/resolv.conf
exec "$@"
"""


def test_everything_dead_takes_less_than_20_s(tmp_path: Path) -> None:
    """Brokers, enrolment, name server, networks and services behind a gateway that swallows everything."""
    if (reason := no_namespaces()) is not None:
        pytest.skip(reason)
    folder, file, resolver = tmp_path / "state", tmp_path / "agent.toml", tmp_path / "resolv.conf"
    resolver.write_text("nameserver 10.99.0.1\n")
    pages = [f"p{number} http https://{DEAD}:{8000 + number}/" for number in range(16)]
    names = [f"n{number} http https://khong-co-{number}.example.vn/" for number in range(4)]
    file.write_text(
        f"[probes.services]\ntargets = {json.dumps(pages + names)}\n"
        f'[probes.networks]\ntargets = ["cpnet icmp {DEAD}", "internet tcp {DEAD}:443"]\n'
    )
    brokers = (
        BrokerAddress(DEAD, 8883, "main"),
        BrokerAddress("192.0.2.2", 8883, "ftth"),
        BrokerAddress("bo-thu.example.vn", 8883, "named"),
    )
    identity = Credential(AGENT, SECRET, "pc", brokers, Authority.make().pem, f"https://{DEAD}:8443")
    save_credential(folder, identity)
    words = [sys.executable, "-m", "hatang_agent", "doctor", "--json"]
    options = ["--state", str(folder), "--config", str(file)]
    system = LocalSystem()
    before = system.boot_ms()
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", _DEAD_NETWORK, "sh", *words, *options],
        env={**ENVIRONMENT, "RESOLV_CONF": str(resolver)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    took_ms = system.boot_ms() - before

    assert (done.returncode, done.stderr) == (1, "")
    assert took_ms < 20_000
    told = json.loads(done.stdout)["findings"]
    states = {one["code"]: one["state"] for one in told}
    assert [one["code"] for one in told].count("broker.unreachable") == 2
    assert states.keys() & {"broker.late", "broker.no_name"}
    assert states["enrolment.unreachable"] == "note"
    assert states["clock.plausible"] == "good"
    targets = [one for one in told if one["area"] == "targets"]
    assert len(targets) == 22
    assert {one["state"] for one in targets} <= {"bad", "lacking"}
    assert all(one["todo_vi"] and one["todo_en"] for one in targets)


def test_exit_codes_and_forms(tmp_path: Path) -> None:
    """2 for bad usage and settings, JSON and both languages before enrolment, no colour in a pipe."""
    file = tmp_path / "agent.toml"
    file.write_text("[probes.usage]\nmax_disks = -1\n")
    state = ("--state", str(tmp_path / "state"))
    wrong, settings = command("--lang", "fr"), command("--config", str(file))
    told = command("--json", *state)
    people = command(*state)

    assert (wrong.returncode, settings.returncode, told.returncode, people.returncode) == (2, 2, 1, 1)
    assert settings.stderr.startswith(f"hatang-agent doctor: {file}:2: 'max_disks' is -1")
    findings = json.loads(told.stdout)["findings"]
    assert {"clock.plausible", "identity.not_enrolled", "probe.ok"} <= {one["code"] for one in findings}
    assert all(one["vi"] and one["en"] for one in findings)
    assert {one["code"].partition(".")[2] != "" for one in findings} == {True}
    assert people.stderr == ""
    assert "\x1b" not in people.stdout
    assert "danh tính: chưa ghi danh" in people.stdout
    for name in registry.probes():
        assert name in people.stdout


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_terminal(tmp_path: Path, more: dict[str, str], coloured: bool) -> None:
    """Colours unless NO_COLOR is set; a line of progress that is wiped before the findings."""
    master, slave = pty.openpty()
    words = [sys.executable, "-m", "hatang_agent", "doctor", "--state", str(tmp_path / "state")]
    with subprocess.Popen(words, stdout=slave, stderr=slave, env={**ENVIRONMENT, **more}) as process:
        os.close(slave)
        text = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody is left at the other end
            while piece := os.read(master, 65536):
                text += piece
        process.wait(30)
    os.close(master)
    shown = text.decode()

    assert ("\x1b[32mtốt\x1b[0m" in shown) is coloured
    assert "đang kiểm tra 1/" in shown
    assert shown.rindex("\r\x1b[K") < shown.index("Máy này")


def test_the_role_of_the_machine_decides_what_runs(tmp_path: Path) -> None:
    """A probe that this role does not run is said to be switched off, not failed."""
    folder = tmp_path / "state"
    save_credential(folder, credential(1, role=config.ROLE_PROBE))

    found = look(folder)

    assert found["probe.disabled"].state is State.NOTE
    assert "probe.ok" not in found
