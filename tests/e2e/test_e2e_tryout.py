"""``make run`` as a newcomer meets it: one program, this machine on the board, Ctrl-C, again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.e2e_figures import Figure
from hatang_collector.ledger import receipts, users
from hatang_collector.ledger.engine import Ledger
from support.servers import free_port, http, listening
from support.stack import ROOT, Stack, broker_pid, environment, get_json, now_ms
from support.wait import until

BOARD_S = 20.0
STOP_S = 15.0
PASSWORD = re.compile(r"first login: user admin, password (\S+)")


class Tryout:
    """``deploy/tryout/run.py`` in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "run.log"
        self.web_port = free_port()
        self.broker_port = free_port()
        self.enrol_port = free_port()
        self.started = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self._token = ""

    def start(self) -> None:
        """Start it as a terminal does; its output goes to a file of this start."""
        ports = {
            "HATANG_WEB_PORT": str(self.web_port),
            "HATANG_BROKER_PORT": str(self.broker_port),
            "HATANG_ENROL_PORT": str(self.enrol_port),
        }
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "deploy/tryout/run.py")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(HATANG_DATA=str(self.data), **ports),
                start_new_session=True,
            )

    def said(self) -> str:
        """What this start has printed."""
        return self.log.read_text(encoding="utf-8")

    def machines(self) -> list[dict[str, Any]]:
        """What the board knows, empty while nobody answers."""
        url = f"http://127.0.0.1:{self.web_port}"
        if http(f"{url}/api/v1/health", timeout=2)[0] != 200:
            return []
        if not self._token:
            ledger = Ledger(f"sqlite:///{self.data}/ledger.sqlite")
            with ledger.write() as c:
                self._token = users.create_api_token(c, "test", users.Role.VIEWER, now_ms())
            ledger.close()
        machines: list[dict[str, Any]] = get_json(f"{url}/api/v1/machines", self._token)["machines"]
        return machines

    def complete(self) -> dict[str, Any]:
        """The machine once every figure of the board is there; empty before."""
        for one in self.machines():
            figures = ("cpu_percent", "memory_percent", "disk", "network", "os", "uptime_s")
            rated = one["network"] and one["network"]["rx_bps"] is not None
            if rated and all(one[name] is not None for name in figures):
                return one
        return {}

    def children(self) -> dict[int, str]:
        """Processes that belong to this data folder, by process id."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace").split("\0")
                cwd = (path.parent / "cwd").readlink()
                dead = (path.parent / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if not dead and (str(self.data) in " ".join(words) or cwd.is_relative_to(self.data)):
                found[int(path.parent.name)] = " ".join(words)
        return found

    def child(self, name: str) -> int:
        """Process id of one of our programs."""
        (pid,) = (pid for pid, words in self.children().items() if f"hatang-{name}" in words)
        return pid

    def interrupt(self) -> int:
        """Ctrl-C, which a terminal sends to everybody in the foreground; its exit code."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_S)

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def tryout(mosquitto: None, tmp_path: Path) -> Iterator[Tryout]:
    """A try-out that was not started yet."""
    made = Tryout(tmp_path)
    yield made
    made.end()


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Somebody else on a port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def test_this_machine_is_on_the_board_and_stays_itself(tryout: Tryout, figure: Figure) -> None:
    """Within 20 s every figure is there; Ctrl-C ends it cleanly; a second start goes on with it."""
    tryout.start()
    machine = until(tryout.complete, BOARD_S, f"this machine on the board: {tryout.log}", every_s=0.1)
    seconds = time.monotonic() - tryout.started
    figure("seconds from process start to this machine on the board", seconds)
    password = PASSWORD.findall(tryout.said())
    code = tryout.interrupt()

    assert seconds <= BOARD_S
    assert machine["label"] == "Máy này"
    assert machine["state"] == "up"
    assert 0 <= machine["cpu_percent"] <= 100
    assert 0 < machine["memory_percent"] < 100
    assert 0 < machine["disk"]["percent"] <= 100
    assert machine["uptime_s"] > 0
    assert len(password) == 1
    assert f"http://127.0.0.1:{tryout.web_port}" in tryout.said()
    _ended_cleanly(tryout, code)

    before = _runs(tryout)
    tryout.start()
    until(lambda: tryout.complete() and _runs(tryout) > before, BOARD_S, "new runs", every_s=0.2)
    everyone = tryout.machines()
    code = tryout.interrupt()

    assert [one["agent"] for one in everyone] == [machine["agent"]]
    assert PASSWORD.findall(tryout.said()) == []
    _ended_cleanly(tryout, code)


def _runs(tryout: Tryout) -> int:
    ledger = Ledger(f"sqlite:///{tryout.data}/ledger.sqlite")
    try:
        with ledger.read() as c:
            return receipts.totals(c).runs
    finally:
        ledger.close()


def _ended_cleanly(tryout: Tryout, code: int) -> None:
    assert code == 0, tryout.said()
    assert tryout.children() == {}
    assert not listening(tryout.web_port)
    assert not listening(tryout.broker_port)
    assert "Traceback" not in tryout.said()
    assert "killed" not in tryout.said()
    leftover = [path for path in tryout.data.rglob("*.sqlite-wal") if path.stat().st_size]
    assert leftover == [], "written ahead and not brought in"


@pytest.mark.parametrize("moment", ["hatang-collector check-config", "hatang-collector serve", "password"])
def test_ctrl_c_while_it_starts_is_clean_too(tryout: Tryout, moment: str) -> None:
    """Ctrl-C before anything is ready: it ends with code 0, leaves nothing running and shows no trace."""
    tryout.start()
    until(
        lambda: moment in tryout.said() or any(moment in words for words in tryout.children().values()),
        20,
        moment,
        every_s=0.005,
    )
    code = tryout.interrupt()

    _ended_cleanly(tryout, code)


@pytest.mark.parametrize("setting", ["web", "broker"])
def test_a_taken_port_is_one_line(tryout: Tryout, setting: str) -> None:
    """Somebody on our port: one line names the port and the setting, and nothing is left running."""
    port = tryout.web_port if setting == "web" else tryout.broker_port
    with taken(port):
        tryout.start()
        assert tryout.process is not None
        code = tryout.process.wait(20)

    assert code != 0
    lines = [line for line in tryout.said().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert str(port) in lines[0]
    assert f"HATANG_{setting.upper()}_PORT" in lines[0]
    assert tryout.children() == {}


def test_another_collector_on_the_port_is_not_taken_for_ours(tryout: Tryout, shared: Stack) -> None:
    """A collector that answers on our port is somebody else: one line, and nothing is begun."""
    tryout.web_port = shared.web_port
    tryout.start()
    assert tryout.process is not None
    code = tryout.process.wait(20)

    assert code != 0
    (line,) = tryout.said().splitlines()
    assert str(shared.web_port) in line
    assert "HATANG_WEB_PORT" in line
    assert tryout.children() == {}
    assert shared.api("/api/v1/health")["condition"] == "ok"


@pytest.mark.parametrize("victim", ["collector", "agent"])
def test_when_a_part_is_killed_the_rest_stops(tryout: Tryout, victim: str) -> None:
    """Kill -9 of one part ends the others in order with a word about it and a code that is not 0."""
    tryout.start()
    until(tryout.complete, 2 * BOARD_S, "this machine on the board", every_s=0.2)
    os.kill(tryout.child(victim), signal.SIGKILL)
    assert tryout.process is not None
    code = tryout.process.wait(STOP_S)

    assert code != 0
    assert "ended by itself" in tryout.said()
    until(lambda: tryout.children() == {}, 5, "nothing is left running")
    assert broker_pid(tryout.data) is None
    assert "Traceback" not in tryout.said()
