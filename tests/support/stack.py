"""A whole installation for tests: a real collector with its broker, and real agents, on free ports."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from hatang_agent import __version__
from hatang_agent.enrolment import enrol
from hatang_agent.identity import Credential, load_credential, save_credential
from hatang_agent.wire.messages import EnrolReply, EnrolRequest
from hatang_collector.app import Data, open_data
from hatang_collector.journal.projection import Advance
from hatang_collector.ledger import receipts, tokens, users
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.receipts import Summary
from hatang_collector.metrics import Metrics
from hatang_collector.store.rollup import RollupPusher
from support.servers import free_port, http
from support.wait import until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DAY_MS = 86_400_000


def now_ms() -> int:
    """UTC now in milliseconds."""
    return time.time_ns() // 1_000_000


def environment(**more: str) -> dict[str, str]:
    """The environment of child processes: our packages on the path, no waiting output."""
    paths = [str(ROOT / "agent"), str(ROOT / "collector"), str(ROOT / "tests")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **more}


def command(*argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One command of ours, run to its end: ``command("agent", "list")``."""
    return subprocess.run(
        [sys.executable, "-m", f"hatang_{argv[0]}", *argv[1:]],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**more),
        timeout=60,
    )


def get_json(url: str, token: str = "") -> Any:
    """The JSON of one GET; raises HTTPError for a refusal."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def broker_pid(data: Path) -> int | None:
    """Process id of the mosquitto that a collector runs on a data folder, None while there is none."""
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = found.read_bytes().split(b"\0")
            cwd = (found.parent / "cwd").readlink()
        except OSError:
            continue
        if words[0].endswith(b"mosquitto") and cwd.is_relative_to(data):
            return int(found.parent.name)
    return None


@dataclass
class Program:
    """One process of ours that can be killed and started again."""

    argv: Sequence[str]
    log: Path
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its output goes to the log file."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(**self.env),
            )

    @property
    def running(self) -> bool:
        """Whether it has been started and not ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self, timeout_s: float = 20.0) -> int:
        """Ask it to end; its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        code = self.process.wait(timeout_s)
        self.process = None
        return code

    def said(self) -> str:
        """Everything it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


class Stack:
    """A collector in a folder, with its own broker and ports."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.web_port = free_port()
        self.broker_port = free_port()
        self.settings = {
            "HATANG_WEB_PORT": str(self.web_port),
            "HATANG_BROKER_PORT": str(self.broker_port),
            "HATANG_ENROL_PORT": str(free_port()),
            **settings,
        }
        argv = ["-m", "hatang_collector", "serve", "--data", str(self.data)]
        self.collector = Program(argv, folder / "collector.log", self.settings)
        self.agents: list[Program] = []
        self._api_token = ""

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.web_port}"

    def start(self) -> None:
        """Start the collector and wait until it answers."""
        self.collector.start()
        until(self._answers, 40, f"the collector answers, see {self.collector.log}", every_s=0.05)

    def _answers(self) -> bool:
        if not self.collector.running:
            message = f"the collector ended: {self.collector.said()[-3000:]}"
            raise RuntimeError(message)
        return http(f"{self.url}/api/v1/health", timeout=2)[0] == 200

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """One collector command on this data folder."""
        done = command("collector", *argv, "--data", str(self.data), **self.settings)
        assert done.returncode == 0, done.stderr + done.stdout
        return done

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger, also while the collector runs."""
        ledger = Ledger(self.settings.get("HATANG_LEDGER_URL") or f"sqlite:///{self.data}/ledger.sqlite")
        try:
            yield ledger
        finally:
            ledger.close()

    def token(self, *, uses: int = 1, role: str = "pc") -> str:
        """An enrolment token."""
        with self.ledger() as ledger, ledger.write() as c:
            return tokens.create(c, role=role, uses=uses, expires_ms=now_ms() + DAY_MS, now_ms=now_ms())

    def enrol(
        self, state: Path, token: str, label: str, fingerprint: Mapping[str, str] | None = None
    ) -> EnrolReply:
        """Enrol an agent over HTTP as the command does, with hardware of its own unless some is given.

        This machine's own hardware would make all agents of a test one machine.
        """
        values = {"smbios_uuid": str(uuid4()), "board_serial": f"board {uuid4()}"}
        wanted = EnrolRequest(token, __version__, label, "", values if fingerprint is None else fingerprint)
        reply, credential = enrol(self.url, wanted)
        save_credential(state, credential)
        return reply

    @staticmethod
    def credential(state: Path) -> Credential:
        """The identity in a state folder."""
        credential = load_credential(state)
        assert credential is not None, f"{state} is not enrolled"
        return credential

    def agent(self, state: Path, config: str = "") -> Program:
        """An agent on a state folder, started; ``config`` is the text of its settings."""
        argv = ["-m", "hatang_agent", "run", "--state", str(state)]
        if config:
            path = state / "agent.toml"
            path.write_text(config, encoding="utf-8")
            argv += ["--config", str(path)]
        return self.program(argv, state / "agent.log")

    def program(self, argv: Sequence[str], log: Path) -> Program:
        """Any program, started, and killed at the end."""
        program = Program(argv, log)
        program.start()
        self.agents.append(program)
        return program

    def api(self, path: str, token: str = "") -> Any:
        """A GET of the API, with a token made for it when none is given."""
        if not token and not self._api_token:
            with self.ledger() as ledger, ledger.write() as c:
                self._api_token = users.create_api_token(c, "tests", users.Role.VIEWER, now_ms())
        return get_json(f"{self.url}{path}", token or self._api_token)

    def health(self) -> dict[str, dict[str, str]]:
        """The parts of the collector's health by name."""
        return {part["name"]: part for part in self.api("/api/v1/health")["parts"]}

    def receipts(self, agent: str) -> Summary:
        """What was taken in of an agent."""
        with self.ledger() as ledger, ledger.read() as c:
            return receipts.of(c, agent)

    @contextmanager
    def opened(self) -> Iterator[Data]:
        """Everything that is kept, with the collector stopped and every projection at the journal's end."""
        assert not self.collector.running, "the collector holds the data folder"
        with (
            environment_set(self.settings),
            open_data(argparse.Namespace(data=self.data, config=None)) as data,
        ):
            for projection in data.projections:
                advance = Advance(data.journal, projection, data.deadletters, Metrics(), now_ms)
                for stream in data.journal.streams:
                    while advance.step(stream):
                        pass
            RollupPusher(data.book, data.store).push()
            yield data

    def stop(self) -> int:
        """End agents, then the collector; the collector's exit code."""
        for agent in self.agents:
            agent.kill()
        return self.collector.stop() if self.collector.running else 0


@contextmanager
def environment_set(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables of this process, set for the length of the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
