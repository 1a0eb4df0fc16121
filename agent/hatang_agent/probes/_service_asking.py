"""Asking the shared programs: each on every path, some at a time, within the time there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hatang_agent.net.answer import Answer, Outcome
from hatang_agent.net.names import family_of
from hatang_agent.net.path import ANY, NetPath, Tied
from hatang_agent.net.targets import Method, Target
from hatang_agent.probes import _service_verdict as verdicts
from hatang_agent.probes._paths import Ways
from hatang_agent.probes._service_verdict import MAX_HOW, Reached, Step, Verdict
from hatang_agent.system_network import NetworkFacade

if TYPE_CHECKING:
    import ssl

AT_ONCE: Final = 6
"""Programs that are asked at the same time, at most."""
PAUSE_S: Final = 0.25
SPREAD_S: Final = 4.0
"""Programs are begun so far apart, or closer when there are many: a run must not keep others waiting."""
NAME_S: Final = 4.0
_ECHOES: Final = 3

Found = tuple[NetPath, Verdict]


@dataclass(frozen=True, slots=True)
class Asking:
    """How programs are asked in one run. ``until_ms`` is on the boot clock, ``now_ms`` is UTC."""

    network: NetworkFacade
    ways: Ways
    timeout_s: float
    until_ms: int
    boot_ms: Callable[[], int]
    now_ms: int
    trust: ssl.SSLContext | None = None

    @property
    def late(self) -> bool:
        """Whether the time left is too short for another question: cut short it would prove nothing."""
        return self.boot_ms() + self.timeout_s * 1000 > self.until_ms


def ask_all(
    asking: Asking, programs: Mapping[str, Sequence[Target]], wait: Callable[[float], None]
) -> dict[str, list[Found]]:
    """What became of every program on every path: begun one after the other, some at the same time."""
    results: dict[str, list[Found]] = {}
    room = threading.BoundedSemaphore(AT_ONCE)

    def work(code: str) -> None:
        try:
            results[code] = ask_program(asking, programs[code])
        finally:
            room.release()

    workers = []
    for number, code in enumerate(programs):
        if number:
            wait(min(PAUSE_S, SPREAD_S / len(programs)))
        room.acquire()
        workers.append(threading.Thread(target=work, args=(code,), name=f"service-{number}", daemon=True))
        workers[-1].start()
    for worker in workers:
        worker.join()
    return {code: results[code] for code in programs}


def ask_program(asking: Asking, targets: Sequence[Target]) -> list[Found]:
    """One program on each path; its name is asked for once, by the system."""
    paths = asking.ways.paths
    if not paths:
        return [(ANY, verdicts.not_tested("no network interface"))]
    if all(path.unusable for path in paths):
        return [(path, verdicts.not_tested(path.unusable)) for path in paths]
    names = {target.contact: _addresses(asking, target) for target in targets if target.contact}
    return [(path, _by_path(asking, targets, names, path)) for path in paths]


def _addresses(asking: Asking, target: Target) -> tuple[str, ...]:
    return () if asking.late else asking.network.lookup(target.contact, min(NAME_S, asking.timeout_s))


def _by_path(
    asking: Asking, targets: Sequence[Target], names: Mapping[str, tuple[str, ...]], path: NetPath
) -> Verdict:
    """The verdict of the first target that is reached; else that of the first that was tested."""
    if path.unusable:
        return verdicts.not_tested(path.unusable)
    found: list[Verdict] = []
    for target in targets:
        found.append(_one(asking, target, names.get(target.contact, ()), path))
        if found[-1].reached is Reached.YES:
            break
    return _best(found)


def _best(found: Sequence[Verdict]) -> Verdict:
    """What was reached, else the first failure, else the first reason why nothing was learned."""
    order = (Reached.YES, Reached.NO, Reached.NOT_TESTED)
    return min(found, key=lambda one: order.index(one.reached))


def _one(asking: Asking, target: Target, addresses: tuple[str, ...], path: NetPath) -> Verdict:
    """One target at the first of its addresses that can be connected to, as browsers do it."""
    if asking.late:
        return verdicts.not_tested(verdicts.NO_TIME)
    if not target.contact:
        addresses = asking.ways.servers.get(path.device, ())
        if not addresses:
            return verdicts.not_tested(f"{target.where}: the system tells no name server; write name@server")
    if not addresses:
        return verdicts.no_name(target)
    found: list[Verdict] = []
    for address in _of_path(addresses, path)[:2]:
        toward = asking.ways.toward(path, address)
        if toward.straight:
            why = f"the system's routes take another gateway than {path.gateway}"
            found.append(verdicts.not_tested(why))
        elif not found or not asking.late:
            found.append(_at(asking, target, address, toward))
        if found[-1].reached is Reached.YES or found[-1].step in (Step.TLS, Step.HTTP):
            break
    return _best(found)


def _of_path(addresses: tuple[str, ...], path: NetPath) -> tuple[str, ...]:
    """Addresses of the families that a path has; all where it is not known which."""
    return tuple(one for one in addresses if path.source(family_of(one))) or addresses


def _at(asking: Asking, target: Target, address: str, path: NetPath) -> Verdict:
    """The verdict at one address."""
    if target.method is Method.ICMP:
        return _echoed(asking, target, address, path)
    answer = asking.network.ask(target, address, asking.timeout_s, path, asking.trust)
    if answer.outcome is Outcome.BAD_TLS and answer.detail.startswith(verdicts.CERTIFICATE):
        answer = _dated(asking, target, address, path, answer)
    moved = verdicts.followed(target, answer.location)
    if moved is not None and not asking.late:
        again = asking.network.ask(moved, address, asking.timeout_s, path, asking.trust)
        verdict = verdicts.judge(moved, again, asking.now_ms)
        verdict = replace(verdict, time_ms=_sum(verdict.time_ms, answer.total_ms))
    else:
        verdict = verdicts.judge(target, answer, asking.now_ms)
    return _with_way(verdict, answer.tied)


def _dated(asking: Asking, target: Target, address: str, path: NetPath, answer: Answer) -> Answer:
    """The answer with the end of the certificate that was not believed: a second, silent handshake."""
    if asking.late:
        return answer
    blind = asking.network.ask(replace(target, method=Method.TLS), address, asking.timeout_s, path)
    return replace(answer, expires_ms=blind.expires_ms)


def _echoed(asking: Asking, target: Target, address: str, path: NetPath) -> Verdict:
    timeout_s = min(1.0, asking.timeout_s)
    echoes = asking.network.ping(address, _ECHOES, 0.2, timeout_s, path)
    if echoes.heard:
        middle = sorted(echoes.came)[len(echoes.came) // 2]
        return _with_way(Verdict(Reached.YES, target.where, time_ms=middle), echoes.tied)
    if echoes.outcome is Outcome.NOT_SENT:
        return verdicts.not_tested(f"{target.where}: {echoes.detail}")
    return Verdict(Reached.NO, f"{target.where}: {echoes.detail}"[:MAX_HOW], Step.ICMP)


def _sum(*times: float | None) -> float | None:
    return None if times[0] is None else sum(one for one in times if one is not None)


_WAYS: Final = {
    Tied.SOURCE: "; only the source address is that of the path",
    Tied.NOTHING: "; the system chose the way",
}


def _with_way(verdict: Verdict, tied: Tied) -> Verdict:
    """The verdict with what is to be said about how firmly the question kept to its path."""
    if verdict.reached is Reached.NOT_TESTED:
        return verdict
    return replace(verdict, how=f"{verdict.how}{_WAYS.get(tied, '')}"[:MAX_HOW])
