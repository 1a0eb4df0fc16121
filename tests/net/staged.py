"""A network, a machine and a probe with its memory, for tests of what a run tells."""

# ruff: noqa: ARG002 - it answers as the tests say, whatever it is asked
from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hatang_agent.net.answer import Answer, Echoes, Outcome
from hatang_agent.net.path import ANY, NetPath, Tied
from hatang_agent.net.targets import Target, is_address
from hatang_agent.probes import networks
from hatang_agent.registry import Context, Result
from hatang_agent.system_replay import ReplaySystem

HOUR_MS = 3_600_000
Reply = Echoes | Answer | None


@dataclass
class Net:
    """A network that answers by (path, question); what is not told about does not answer."""

    replies: dict[tuple[str, str], Reply] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    boot_ms: int = 1_000_000
    costs_ms: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def addresses(self, host: str, timeout_s: float) -> tuple[str, ...]:
        return (host,) if is_address(host) else self.names.get(host, ())

    def lookup(self, host: str, timeout_s: float) -> tuple[str, ...]:
        return self.addresses(host, timeout_s)

    def ask(
        self,
        target: Target,
        address: str,
        timeout_s: float,
        path: NetPath = ANY,
        trust: ssl.SSLContext | None = None,
    ) -> Answer:
        found = self._reply(path, f"{target.method} {target.address}")
        return (
            found if isinstance(found, Answer) else Answer(Outcome.TIMEOUT, "no answer", address, Tied.DEVICE)
        )

    def ping(self, address: str, count: int, gap_s: float, timeout_s: float, path: NetPath = ANY) -> Echoes:
        found = self._reply(path, f"icmp {address}")
        return found if isinstance(found, Echoes) else Echoes((None,) * count, detail="no answer")

    def _reply(self, path: NetPath, asked: str) -> Reply:
        with self.lock:
            self.asked.append((path.name, asked))
            self.boot_ms += self.costs_ms
        return self.replies.get((path.name, asked))


class Machine(ReplaySystem):
    """A recorded office computer with two cards, a clock that is set, and a network of a test."""

    def __init__(self, folder: Path, net: Net) -> None:
        super().__init__(folder)
        self.net = net
        self.network = net
        self.waited: list[float] = []

    def boot_ms(self) -> int:
        return self.net.boot_ms

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def random(self) -> float:
        return 0.5


def plug(folder: Path, **up: bool) -> None:
    """Write the files of a machine whose cards have a link or none."""
    (folder / "meta.json").write_text('{"platform": "linux"}')
    table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
    lines = []
    for number, (name, link) in enumerate(up.items(), 1):
        card = folder / f"files/sys/class/net/{name}"
        (card / "device").mkdir(parents=True, exist_ok=True)
        (card / "device/vendor").write_text("0x8086")
        (card / "operstate").write_text("up" if link else "down")
        (card / "type").write_text("1")
        table += f"{name}\t00000000\t01{number:02x}A8C0\t0003\t0\t0\t0\t00000000\n"
        table += f"{name}\t00{number:02x}A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
        lines.append(
            f"{number}: {name}: <BROADCAST,MULTICAST,UP> mtu 1500 state UP\n"
            f"    inet 192.168.{number}.5/24 scope global {name}"
        )
    (folder / "files/proc/net").mkdir(parents=True, exist_ok=True)
    (folder / "files/proc/net/route").write_text(table)
    (folder / "commands.json").write_text(json.dumps([{"argv": ["ip", "addr"], "stdout": "ip.txt"}]))
    (folder / "ip.txt").write_text("\n".join(lines))


@dataclass
class Runs:
    """Runs of the probe one after the other, with its memory."""

    machine: Machine
    settings: networks.Config
    memory: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> Result:
        deadline = self.machine.boot_ms() + 60_000
        return networks.measure(Context(self.machine, self.settings, deadline, self.memory))

    def reach(self) -> dict[tuple[str, str], str]:
        return reach(self())


def runs(machine: Machine, *targets: str, **settings: Any) -> Runs:
    """The probe with these targets."""
    return Runs(machine, networks.Config(targets=targets, **settings))


def reach(result: Result) -> dict[tuple[str, str], str]:
    """Whether each network is reached by each path."""
    return {
        (str(one.fields["network"]), str(one.fields["source"])): str(one.fields["reached"])
        for one in result.facts
        if one.kind == "network_reach"
    }


def fact(result: Result, key: str, kind: str = "network_reach") -> Mapping[str, Any]:
    """The fields of one fact."""
    (found,) = [one.fields for one in result.facts if (one.kind, one.key) == (kind, key)]
    return found


def echo(*rtts_ms: float | None, tied: Tied = Tied.DEVICE) -> Echoes:
    """Replies to echo requests."""
    return Echoes(rtts_ms, Outcome.ANSWERED, tied=tied)


def took(rtt_ms: float, outcome: Outcome = Outcome.ANSWERED, detail: str = "", **more: Any) -> Answer:
    """An answer by TCP and what is above it."""
    return Answer(outcome, detail, tied=Tied.DEVICE, rtt_ms=rtt_ms, **more)
