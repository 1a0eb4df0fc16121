"""Agents for tests: the real application in a thread, with probes that do next to nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_send.agent_send_support import AGENT
from hatang_agent.app import App
from hatang_agent.config import AgentConfig, ReportingSection, ScheduleSection
from hatang_agent.identity import Credential, save_credential
from hatang_agent.registry import Context, Field, Probe, Result
from hatang_agent.sending import Policy
from hatang_agent.system import LocalSystem
from hatang_agent.wire.messages import BrokerAddress, Farewell
from hatang_agent.wire.report import Fact, Sample

SECRET = "5e" * 32
QUICK = Policy(fresh_for_ms=60_000, backlog_bytes_per_s=0, backlog_delay_ms=0, return_pause_ms=0)


@dataclass(frozen=True)
class NoSettings:
    """A probe's Config without settings."""


def probe(
    name: str = "counter", interval_s: float = 0.2, measure: Callable[[Context], Result] | None = None
) -> Probe:
    """A probe with one sample (or what ``measure`` gives) and one fact kind."""
    fields = (
        Field("counter.value", "Số đếm", "A count"),
        Field("thing.state", "Trạng thái", "A state", fact=True),
    )
    return Probe(
        name, "Counts.", NoSettings, interval_s, 5, frozenset({"pc", "probe"}), fields, measure or count
    )


def count(context: Context) -> Result:
    """One more than the time before."""
    context.memory["n"] = context.memory.get("n", 0) + 1
    return Result([Sample("counter.value", context.memory["n"], "")])


def thing(state: str) -> Result:
    """A result whose facts say ``state``."""
    return Result([], [Fact("thing", "one", {"state": state})])


def credential(
    port: int, *, tls: bool = False, host: str = "127.0.0.1", ca_pem: str = "", role: str = "pc"
) -> Credential:
    """An identity at a broker on this machine."""
    return Credential(
        AGENT, SECRET, role, (BrokerAddress(host, port, "main", tls),), ca_pem, "http://127.0.0.1"
    )


def settings(report_s: float = 0.5, beat_s: float = 60, keepalive_s: int = 10) -> AgentConfig:
    """Settings with a quick rhythm."""
    return AgentConfig(
        schedule=ScheduleSection(first_spread_s=0),
        reporting=ReportingSection(report_s=report_s, beat_s=beat_s, keepalive_s=keepalive_s),
    )


@contextlib.contextmanager
def running(
    folder: Path,
    identity: Credential,
    config: AgentConfig | None = None,
    probes: Mapping[str, Probe] | None = None,
    policy: Policy = QUICK,
    farewell: Farewell = Farewell.STOP,
) -> Iterator[App]:
    """The application until the block ends."""
    folder.mkdir(exist_ok=True)
    save_credential(folder, identity)
    probes = probes if probes is not None else {"counter": probe()}
    app = App(LocalSystem(), folder, identity, config or settings(), probes, policy)
    thread = threading.Thread(target=app.run)
    thread.start()
    try:
        yield app
    finally:
        app.stop(farewell)
        thread.join(15)
        assert not thread.is_alive(), "the agent did not end"
