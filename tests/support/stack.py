"""A whole installation for tests: a real collector with its broker, and real agents, on free ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.servers import free_port, http
from support.wait import until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


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
            **settings,
        }
        argv = ["-m", "hatang_collector", "serve", "--data", str(self.data)]
        self.collector = Program(argv, folder / "collector.log", self.settings)
        self.agents: list[Program] = []

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
            message = f"the collector ended: {self.collector.log.read_text(encoding='utf-8')[-3000:]}"
            raise RuntimeError(message)
        return http(f"{self.url}/api/v1/health", timeout=2)[0] == 200

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """One collector command on this data folder."""
        done = command("collector", *argv, "--data", str(self.data), **self.settings)
        assert done.returncode == 0, done.stderr + done.stdout
        return done

    def token(self, *, uses: int = 1, role: str = "pc") -> str:
        """An enrolment token."""
        made = self.run("tokens", "create", "--role", role, "--uses", str(uses), "--days", "1", "--json")
        text: str = json.loads(made.stdout)["token"]
        return text

    def enrol(self, state: Path, token: str, label: str) -> str:
        """Enrol an agent over the real path; its id."""
        argv = ["enroll", "--state", str(state), "--url", self.url, "--token", token, "--label", label]
        done = command("agent", *argv)
        assert done.returncode == 0, done.stderr + done.stdout
        identity: str = json.loads((state / "credential.json").read_text(encoding="utf-8"))["agent"]
        return identity

    def agent(self, state: Path, config: str = "") -> Program:
        """An agent on a state folder, started; ``config`` is the text of its settings."""
        argv = ["-m", "hatang_agent", "run", "--state", str(state)]
        if config:
            path = state / "agent.toml"
            path.write_text(config, encoding="utf-8")
            argv += ["--config", str(path)]
        program = Program(argv, state / "agent.log")
        program.start()
        self.agents.append(program)
        return program

    def api(self, path: str, token: str = "") -> Any:
        """A GET of the API, with a token made for it."""
        done = subprocess.run(
            ["curl", "-sS", "-m", "10", "-H", f"Authorization: Bearer {token}", f"{self.url}{path}"],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    def stop(self) -> None:
        """End agents, then the collector."""
        for agent in self.agents:
            agent.kill()
        if self.collector.running:
            self.collector.stop()
