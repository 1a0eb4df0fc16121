"""Whether one network is reached by one path: its targets are asked in turn until one answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from hatang_agent.net.answer import Answer, Echoes, Outcome
from hatang_agent.net.path import NetPath, Tied
from hatang_agent.net.targets import Method, Target
from hatang_agent.probes._paths import Ways
from hatang_agent.system_network import NetworkFacade

GAP_S: Final = 0.2
NAME_S: Final = 2.0
IN_FULL_MS: Final = 3_600_000
MAX_HOW: Final = 200
_PORTS: Final = (443, 80, 443)
"""Where a host is knocked at that may not be sent echo requests: a refusal is an answer as well."""
_IN_FULL: Final = frozenset({Method.TLS, Method.HTTP})


class Reached(StrEnum):
    """Whether a network is reached; ``not_tested`` says that nothing was learned."""

    YES = "yes"
    NO = "no"
    NOT_TESTED = "not_tested"


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one network on one path. Times in ms, loss in percent, None for what is not known."""

    network: str
    path: str
    reached: Reached
    rtt_ms: float | None = None
    loss: float | None = None
    jitter_ms: float | None = None
    how: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one target: whether it was heard, or else how it ended and in which words."""

    heard: bool
    outcome: Outcome
    how: str
    rtts: tuple[float, ...] = ()
    sent: int = 0


@dataclass(slots=True)
class Past:
    """What is remembered of a network on a path from run to run."""

    target: str = ""
    rtt_ms: float | None = None
    in_full_ms: int | None = None
    reached: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """How targets are asked in one run. ``until_ms`` is on the boot clock."""

    network: NetworkFacade
    ways: Ways
    boot_ms: Callable[[], int]
    until_ms: int
    echoes: int = 3
    timeout_s: float = 1.0
    memory: dict[tuple[str, str], Past] = field(default_factory=dict)

    @property
    def late(self) -> bool:
        """Whether the run has no time left for another question."""
        return self.boot_ms() >= self.until_ms


def reach(asking: Asking, network: str, targets: Sequence[Target], path: NetPath) -> Found:
    """Ask a network's targets by a path, that which answered last first, until one is heard."""
    if path.unusable:
        return Found(network, path.name, Reached.NOT_TESTED, how=path.unusable)
    past = asking.memory.setdefault((network, path.name), Past())
    tried: list[Tried] = []
    for target in sorted(targets, key=lambda one: str(one) != past.target):
        if asking.late:
            tried.append(Tried(heard=False, outcome=Outcome.NOT_SENT, how="no time was left"))
            break
        one = _ask(asking, target, path, past)
        tried.append(one)
        if one.heard:
            return _reached(network, path, str(target), one, past)
    past.reached, past.in_full_ms = False, None
    asked = [one for one in tried if one.outcome is not Outcome.NOT_SENT]
    if not asked:
        return Found(network, path.name, Reached.NOT_TESTED, how=_joined(tried))
    return Found(network, path.name, Reached.NO, loss=100.0, how=_joined(asked))


def _reached(network: str, path: NetPath, target: str, one: Tried, past: Past) -> Found:
    rtt_ms = middle(one.rtts)
    steps = [abs(after - before) for before, after in zip(one.rtts, one.rtts[1:], strict=False)]
    if not steps and past.rtt_ms is not None and past.target == target and past.reached:
        steps = [abs(rtt_ms - past.rtt_ms)]  # one question a run: the variation is that between runs
    past.target, past.rtt_ms, past.reached = target, rtt_ms, True
    return Found(
        network,
        path.name,
        Reached.YES,
        rtt_ms=shown(rtt_ms),
        loss=round(100 * (1 - len(one.rtts) / one.sent), 1),
        jitter_ms=shown(sum(steps) / len(steps)) if steps else None,
        how=one.how[:MAX_HOW],
    )


def middle(values: Sequence[float]) -> float:
    """The median; the module for it costs a megabyte of memory."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def shown(ms: float) -> float:
    """Milliseconds with as many decimals as mean something: finer digits are noise that travels."""
    return round(ms, 2 if ms < 10 else 1)


def _joined(tried: Sequence[Tried]) -> str:
    return "; ".join(dict.fromkeys(one.how for one in tried))[:MAX_HOW]


def _ask(asking: Asking, target: Target, path: NetPath, past: Past) -> Tried:
    """Ask one target at the first of its host's addresses that says anything."""
    addresses: Sequence[str]
    if target.contact:
        addresses = asking.network.addresses(target.contact, NAME_S)
        if not addresses:
            return Tried(heard=False, outcome=Outcome.NO_NAME, how=f"{target.where}: the name has no address")
    else:
        addresses = asking.ways.servers.get(path.device, ())
        if not addresses:
            how = f"{target.where}: the system tells no name server of its own; write name@server"
            return Tried(heard=False, outcome=Outcome.NOT_SENT, how=how)
    addresses = [one for one in addresses if path.carries(one)]
    if not addresses:
        how = f"{target.where}: this path has no address of its kind"
        return Tried(heard=False, outcome=Outcome.NOT_SENT, how=how)
    return _first_heard(
        asking,
        (_ask_address(asking, target, one, asking.ways.toward(path, one), past) for one in addresses[:2]),
    )


def _first_heard(asking: Asking, tries: Iterator[Tried]) -> Tried:
    """The first try that is heard, else the last one that was sent at all, else the last one."""
    told = next(tries)
    while not told.heard and not asking.late and (one := next(tries, None)) is not None:
        if one.outcome is not Outcome.NOT_SENT or told.outcome is Outcome.NOT_SENT:
            told = one
    return told


def _ask_address(asking: Asking, target: Target, address: str, path: NetPath, past: Past) -> Tried:
    if target.method is not Method.ICMP:
        return _connect(asking, target, address, path, past)
    echoes = asking.network.ping(address, asking.echoes, GAP_S, asking.timeout_s, path)
    if echoes.outcome is Outcome.NOT_SENT:
        return _knock(asking, target, address, path, echoes)
    if echoes.heard:
        how = f"{target.where}{_way(echoes.tied, path)}"
        return Tried(True, Outcome.ANSWERED, how, echoes.came, len(echoes.rtts_ms))
    return Tried(heard=False, outcome=echoes.outcome, how=f"{target.where}: {echoes.detail}")


def _knock(asking: Asking, target: Target, address: str, path: NetPath, echoes: Echoes) -> Tried:
    """Instead of echo requests: a TCP connection to a usual port, taken or refused."""
    host = f"[{address}]" if ":" in address else address
    once = replace(asking, echoes=1)
    doors = (Target(target.label, Method.TCP, f"{host}:{port}", address, port) for port in _PORTS)
    one = _first_heard(asking, (_connect(once, door, address, path, Past()) for door in doors))
    if one.outcome is Outcome.NOT_SENT:
        return replace(one, how=f"{target.where}: {echoes.detail}")
    return replace(one, how=f"{one.how} (by TCP: {echoes.detail})")


def _connect(asking: Asking, target: Target, address: str, path: NetPath, past: Past) -> Tried:
    """One question by TCP, TLS, HTTP or DNS, again while it is not heard, at most as often as echoes."""
    asked = target
    if target.method in _IN_FULL:
        now_ms = asking.boot_ms()
        if past.in_full_ms is not None and now_ms - past.in_full_ms < IN_FULL_MS:
            asked = replace(target, method=Method.TCP, secure=False)
        else:
            past.in_full_ms = now_ms
    sent = 0
    answer = Answer(Outcome.TIMEOUT)
    # in full there are more rounds to wait for, and time for the system to ask again by itself
    times, timeout_s = (
        (1, 3 * asking.timeout_s) if asked.method in _IN_FULL else (asking.echoes, asking.timeout_s)
    )
    while answer.outcome is Outcome.TIMEOUT and sent < times and not (sent and asking.late):
        sent += 1
        answer = asking.network.ask(asked, address, timeout_s, path)
    said = answer.detail if answer.outcome is not Outcome.ANSWERED or answer.status is not None else ""
    if answer.outcome is Outcome.REFUSED:
        said = "refused, so it was reached"
    how = f"{target.where}{': ' if said else ''}{said}"
    if answer.heard and answer.rtt_ms is not None:
        return Tried(True, answer.outcome, f"{how}{_way(answer.tied, path)}", (answer.rtt_ms,), sent)
    return Tried(heard=False, outcome=answer.outcome, how=how)


_WAYS: Final[Mapping[Tied, str]] = {
    Tied.SOURCE: "; only the source address is that of the path",
    Tied.NOTHING: "; the system chose the way",
}


def _way(tied: Tied, path: NetPath) -> str:
    """What is to be said about how firmly the question kept to its path."""
    if tied is Tied.NEXT_HOP:
        return f"; straight to {path.gateway}"
    return _WAYS.get(tied, "")
