"""Asking programs on this machine, with names and times that the test decides."""

# ruff: noqa: ARG002 - a network is asked with more than a stand-in looks at

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hatang_agent.net.answer import Answer, Echoes, Outcome
from hatang_agent.net.path import ANY, NetPath
from hatang_agent.net.targets import Target, is_address, parse
from hatang_agent.probes._paths import Ways
from hatang_agent.probes._service_asking import Asking, ask_program
from hatang_agent.probes._service_verdict import Verdict
from hatang_agent.system import LocalSystem
from hatang_agent.system_network import LiveNetwork, NetworkFacade
from services.service_servers import HOST, LOOPBACK

LO = NetPath("lo", "lo", ipv4=LOOPBACK)
KNOWN = {HOST: (LOOPBACK,)}


@dataclass
class Named(LiveNetwork):
    """Real sockets; names have the addresses of a table, others have none."""

    table: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: KNOWN)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def lookup(self, host: str, timeout_s: float) -> tuple[str, ...]:
        """From the table."""
        return (host,) if is_address(host) else self.table.get(host, ())

    def ask(
        self,
        target: Target,
        address: str,
        timeout_s: float,
        path: NetPath = ANY,
        trust: ssl.SSLContext | None = None,
    ) -> Answer:
        """For real, and remembered."""
        self.asked.append(f"{target.where} at {address} by {path.name}")
        return super().ask(target, address, timeout_s, path, trust)


@dataclass
class Silent:
    """A network that lets every question wait for as long as it may, on the clock of the test."""

    clock: Clock
    asked: list[str] = field(default_factory=list)
    answer: Answer | None = None

    def addresses(self, host: str, timeout_s: float) -> tuple[str, ...]:
        """Told at once."""
        return (LOOPBACK,)

    def lookup(self, host: str, timeout_s: float) -> tuple[str, ...]:
        """Told at once."""
        return (LOOPBACK,)

    def ask(
        self,
        target: Target,
        address: str,
        timeout_s: float,
        path: NetPath = ANY,
        trust: ssl.SSLContext | None = None,
    ) -> Answer:
        """No answer, after all the time there was."""
        self.asked.append(target.label)
        if self.answer is not None:
            return self.answer
        self.clock.pass_s(timeout_s)
        return Answer(Outcome.TIMEOUT, "no answer", address)

    def ping(self, address: str, count: int, gap_s: float, timeout_s: float, path: NetPath = ANY) -> Echoes:
        """No answer."""
        return Echoes((None,) * count, Outcome.TIMEOUT, "no answer", address)


@dataclass
class Clock:
    """A boot clock that moves when it is told to."""

    ms: int = 1_000_000

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += int(seconds * 1000)

    def __call__(self) -> int:
        return self.ms


class Office(LocalSystem):
    """This machine with a network and a clock of the test."""

    def __init__(self, network: NetworkFacade, clock: Clock) -> None:
        super().__init__()
        self.network = network
        self.clock = clock
        self.waits: list[float] = []

    def boot_ms(self) -> int:
        """The clock of the test."""
        return self.clock()

    def wait(self, seconds: float) -> None:
        """Remembered; the clock moves."""
        self.waits.append(seconds)
        self.clock.pass_s(seconds)


def verdict(*lines: str, network: NetworkFacade | None = None, **more: Any) -> Verdict:
    """What one program gives on the loopback."""
    system = LocalSystem()
    values: dict[str, Any] = {
        "network": network or Named(),
        "ways": Ways((LO,)),
        "timeout_s": 3.0,
        "until_ms": system.boot_ms() + 20_000,
        "boot_ms": system.boot_ms,
        "now_ms": system.wall_ms(),
        **more,
    }
    ((_, found),) = ask_program(Asking(**values), [parse(line) for line in lines])
    return found
