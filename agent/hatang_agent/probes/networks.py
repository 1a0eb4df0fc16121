"""Networks: which of the configured networks this machine reaches, and by which of its paths.

A network (`cpnet`, `internet`, or any other name) is known by its targets, which come with the signed
configuration from the register of targets, or stand in the agent's own file:

    targets = ["cpnet icmp 10.0.0.1", "internet tcp 203.0.113.5:443", "internet http https://example.vn/"]

Each network is tried on **each path** of the machine, an interface and its next hop, so that a dead path
is never hidden by another one: sockets are tied to the interface, and where one interface has two
gateways, packets are written straight to the hardware address of the one that the routes would not take
(Linux, CAP_NET_RAW). A network is reached when one of its targets answers. A refused connection is an
answer too: the network carried it there and back. The target that answered last is asked first; the
others only if it is silent.

`not_tested` says that nothing was learned, and why: no link, no address, no right to send. Without the
right to send echo requests their hosts are asked by TCP, and `how` says so. `how` also says where the
system did not let a socket be tied to the interface, so that the answer may have come another way.

A usual run is three echo requests of 32 bytes for each network and path. Targets of TLS and HTTP are
asked in full when the network was not reached before and once an hour, and by a bare TCP connection in
between. Nothing ever logs in, and no content is read.

The numbers in the facts are those of the run that told them: when the reach changed, and once an hour.
Every run's numbers are in the samples. `dual_homed` names the networks that are reached at the same
time, and by which paths; whether that is allowed is for people to judge.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hatang_agent.net.path import NetPath
from hatang_agent.net.targets import Target, parse
from hatang_agent.probes import _paths, _reaching
from hatang_agent.probes._reaching import Asking, Found, Reached
from hatang_agent.registry import Context, Field, NoData, Result
from hatang_agent.wire.report import Fact, Sample

INTERVAL_S = 60
DEADLINE_S = 60
ROLES = ("pc",)

SOURCES = {
    "linux": (
        *_paths.SOURCES["linux"],
        "sockets: ICMP and ICMPv6 (datagram, else raw), TCP, UDP; ARP and raw IPv4 where one interface "
        "has two gateways; recorded: network.json",
    ),
    "windows": (
        *_paths.SOURCES["windows"],
        "IcmpSendEcho2Ex and Icmp6SendEcho2 of iphlpapi.dll",
        "sockets: TCP, UDP",
    ),
    "macos": (*_paths.SOURCES["macos"], "sockets: ICMP and ICMPv6, TCP, UDP"),
}

_TAGS = ("network", "path")

FIELDS = (
    Field("networks.rtt_ms", "Thời gian đi và về tới mạng", "round trip to the network", "ms", _TAGS),
    Field("networks.loss", "Tỷ lệ gói hỏi không có trả lời", "requests without an answer", "%", _TAGS),
    Field(
        "networks.jitter_ms", "Độ dao động của thời gian đi và về", "variation of the round trip", "ms", _TAGS
    ),
    Field("network_reach.network", "Tên mạng (CPNet, Internet…)", "name of the network", fact=True),
    Field(
        "network_reach.source",
        "Đường đi: card mạng, và cổng mạng nếu card có nhiều cổng",
        "path: interface, with its gateway where there are several",
        fact=True,
    ),
    Field(
        "network_reach.reached",
        "Có tới được mạng không: yes, no, not_tested (chưa đo được)",
        "whether it is reached: yes, no, not_tested",
        fact=True,
    ),
    Field("network_reach.rtt_ms", "Thời gian đi và về", "round trip", "ms", fact=True),
    Field(
        "network_reach.loss", "Tỷ lệ gói hỏi không có trả lời", "requests without an answer", "%", fact=True
    ),
    Field("network_reach.jitter_ms", "Độ dao động của thời gian đi và về", "variation", "ms", fact=True),
    Field(
        "network_reach.how",
        "Đã hỏi đích nào, bằng cách nào, kết quả ra sao",
        "which target was asked, how, and what came of it",
        fact=True,
    ),
    Field(
        "dual_homed.networks",
        "Các mạng mà máy tới được cùng lúc",
        "networks reached at the same time",
        fact=True,
    ),
    Field("dual_homed.paths", "Các đường đi tới những mạng đó", "paths by which they are reached", fact=True),
)

MAX_TARGETS: Final = 32
AT_ONCE: Final = 6
"""Questions under way at the same time."""
TELL_AGAIN_MS: Final = 3_600_000
BUDGET_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.networks]."""

    targets: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": 'what is asked, as "network method address": "cpnet icmp 10.0.0.1", '
            '"internet tcp 203.0.113.5:443"; methods are icmp, tcp, tls, http, dns',
            "register": "targets",
        },
    )
    echoes: int = field(
        default=3,
        metadata={"help": "requests to one target in a run, at most", "minimum": 1, "maximum": 10},
    )
    timeout_s: float = field(
        default=1.0, metadata={"help": "seconds to wait for an answer", "minimum": 0.2, "maximum": 5}
    )
    spread_s: float = field(
        default=1.0,
        metadata={
            "help": "a run begins by chance up to so many seconds late, so that not all ask at once",
            "minimum": 0,
            "maximum": 10,
        },
    )

    def __post_init__(self) -> None:
        """Refuse what is no target, by name."""
        if len(self.targets) > MAX_TARGETS:
            raise ValueError(f"{len(self.targets)} targets; give at most {MAX_TARGETS}")
        for text in self.targets:
            parse(text)


def measure(context: Context) -> Result:
    """Each network by each path, as samples and as facts of kind ``network_reach``."""
    networks = by_label([parse(text) for text in context.config.targets])
    if not networks:
        raise NoData("no targets are configured; enter them in the register of targets")
    if context.config.spread_s > 0:
        context.system.wait(context.system.random() * context.config.spread_s)
    ways = _paths.read(context.system, context.memory)
    asking = Asking(
        network=context.system.network,
        ways=ways,
        boot_ms=context.system.boot_ms,
        until_ms=min(context.deadline_ms - 2_000, context.system.boot_ms() + int(BUDGET_S * 1000)),
        echoes=context.config.echoes,
        timeout_s=context.config.timeout_s,
        memory=context.memory.setdefault("asked", {}),
    )
    found = ask_all(asking, networks, ways.paths)
    samples = [sample for one in found for sample in samples_of(one)]
    return Result(samples, facts(found, context.memory, context.system.boot_ms()))


def by_label(targets: Sequence[Target]) -> dict[str, list[Target]]:
    """Targets of each network, in the order in which they were given."""
    found: dict[str, list[Target]] = {}
    for target in targets:
        found.setdefault(target.label, []).append(target)
    return found


def ask_all(
    asking: Asking, networks: Mapping[str, Sequence[Target]], paths: Sequence[NetPath]
) -> list[Found]:
    """What became of every network on every path, in that order; several are asked at a time."""
    if not paths:
        return [Found(name, "", Reached.NOT_TESTED, how="no network interface") for name in networks]
    jobs = [(name, targets, path) for name, targets in networks.items() for path in paths]
    results: list[Found | None] = [None] * len(jobs)
    left = iter(range(len(jobs)))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                at = next(left, None)
            if at is None:
                return
            results[at] = _reaching.reach(asking, *jobs[at])

    workers = [
        threading.Thread(target=work, name=f"networks-{number}", daemon=True)
        for number in range(min(AT_ONCE, len(jobs)))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done = [one for one in results if one is not None]
    if len(done) < len(jobs):
        raise RuntimeError("a question ended in a fault")  # its thread has told which
    return done


def samples_of(found: Found) -> list[Sample]:
    """The numbers of a network on a path; none of what was not tested."""
    if found.reached is Reached.NOT_TESTED:
        return []
    tags = {"network": found.network, "path": found.path}
    values = (
        ("networks.rtt_ms", found.rtt_ms, "ms"),
        ("networks.loss", found.loss, "%"),
        ("networks.jitter_ms", found.jitter_ms, "ms"),
    )
    return [Sample(name, value, unit, tags) for name, value, unit in values if value is not None]


def facts(found: Sequence[Found], memory: dict[str, Any], now_ms: int) -> list[Fact]:
    """A fact for each network and path, as it was told last unless its reach changed or an hour is over.

    Round trips differ every minute; told each time, they would be an early report each minute.
    """
    told: dict[tuple[str, str], Found] = memory.get("told", {})
    if now_ms - memory.setdefault("told_ms", now_ms) >= TELL_AGAIN_MS:
        told, memory["told_ms"] = {}, now_ms
    shown = {}
    for one in found:
        before = told.get((one.network, one.path))
        shown[one.network, one.path] = before if before is not None and same(before, one) else one
    memory["told"] = shown
    both = both_at_once(found)
    return [*(fact_of(one) for one in shown.values()), *([both] if both is not None else [])]


def same(before: Found, now: Found) -> bool:
    """Whether there is nothing to tell: the same reach, and the same reason where nothing was tested."""
    return before.reached is now.reached and (now.reached is not Reached.NOT_TESTED or before.how == now.how)


def fact_of(found: Found) -> Fact:
    """What was found of a network on a path; what is not known is left out."""
    fields: dict[str, Any] = {
        "network": found.network,
        "source": found.path,
        "reached": str(found.reached),
        "rtt_ms": found.rtt_ms,
        "loss": found.loss,
        "jitter_ms": found.jitter_ms,
        "how": found.how,
    }
    key = f"{found.network} {found.path}".strip()
    return Fact("network_reach", key, {name: value for name, value in fields.items() if value is not None})


def both_at_once(found: Sequence[Found]) -> Fact | None:
    """The fact that several networks are reached at once, None when at most one is."""
    reached = [one for one in found if one.reached is Reached.YES]
    networks = list(dict.fromkeys(one.network for one in reached))
    if len(networks) < 2:
        return None
    paths = list(dict.fromkeys(one.path for one in reached))
    return Fact("dual_homed", "", {"networks": ",".join(networks), "paths": ",".join(paths)})
