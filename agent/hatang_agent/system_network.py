"""The network as probes see it: this machine's sockets, or the answers that were recorded with a machine.

The engines are in :mod:`hatang_agent.net`; here they get their clocks. Imported when it is asked for.
"""

# ruff: noqa: D102 - NetworkFacade documents the methods, the others keep the promise
from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from hatang_agent.net.answer import Answer, Echoes, Outcome
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import ANY, NetPath, Tied
from hatang_agent.net.targets import Target, is_address

if TYPE_CHECKING:
    import ssl


class NetworkFacade(Protocol):
    """Questions to hosts, each within a time and tied to a path. None of them raises for the network."""

    def addresses(self, host: str, timeout_s: float) -> tuple[str, ...]:
        """At most four addresses of a host, () when nobody tells them in time; an address is itself."""

    def lookup(self, host: str, timeout_s: float) -> tuple[str, ...]:
        """The same asked anew: what was told before does not stand in for a name server that is dead now."""

    def ask(
        self,
        target: Target,
        address: str,
        timeout_s: float,
        path: NetPath = ANY,
        trust: ssl.SSLContext | None = None,
    ) -> Answer:
        """Ask by TCP, TLS, HTTP or DNS at one address of the target's host."""

    def ping(self, address: str, count: int, gap_s: float, timeout_s: float, path: NetPath = ANY) -> Echoes:
        """Echo requests ``gap_s`` apart; each reply is waited for ``timeout_s``."""


class LiveNetwork:
    """This machine's own sockets."""

    def __init__(self) -> None:
        from hatang_agent.net.names import Resolver

        self.clocks = Clocks(time.perf_counter_ns, time.time_ns)
        self._resolver = Resolver(self.clocks)

    def addresses(self, host: str, timeout_s: float) -> tuple[str, ...]:
        return self._resolver.addresses(host, timeout_s)

    def lookup(self, host: str, timeout_s: float) -> tuple[str, ...]:
        return self._resolver.lookup(host, timeout_s)

    def ask(
        self,
        target: Target,
        address: str,
        timeout_s: float,
        path: NetPath = ANY,
        trust: ssl.SSLContext | None = None,
    ) -> Answer:
        from hatang_agent.net import reach

        return reach.ask(target, address, self.clocks, timeout_s, path, trust)

    def ping(self, address: str, count: int, gap_s: float, timeout_s: float, path: NetPath = ANY) -> Echoes:
        from hatang_agent.net import icmp

        return icmp.ping(address, self.clocks, path, count=count, gap_s=gap_s, timeout_s=timeout_s)


class RecordedNetwork:
    """What a recorded machine was answered: ``network.json``, a list of questions with their answers.

    Each names the ``path`` ('' for whatever the system chose) and what was ``asked`` ("icmp 10.0.0.1"),
    and has the fields of :class:`Answer`, or ``rtts_ms`` of :class:`Echoes`. A name's addresses are
    recorded as ``{"asked": "name example.vn", "addresses": […]}``. What was not recorded was not sent.
    """

    def __init__(self, recorded: Sequence[Mapping[str, Any]]) -> None:
        self._recorded = {(str(one.get("path", "")), str(one.get("asked", ""))): one for one in recorded}

    def addresses(self, host: str, timeout_s: float) -> tuple[str, ...]:  # noqa: ARG002 - answers at once
        if is_address(host):
            return (host,)
        found = self._recorded.get(("", f"name {host}"), {})
        return tuple(str(one) for one in found.get("addresses", ()))

    def lookup(self, host: str, timeout_s: float) -> tuple[str, ...]:
        return self.addresses(host, timeout_s)

    def ask(
        self,
        target: Target,
        address: str,
        timeout_s: float,  # noqa: ARG002 - answers at once
        path: NetPath = ANY,
        trust: ssl.SSLContext | None = None,  # noqa: ARG002
    ) -> Answer:
        found = self._recorded.get((path.name, target.where))
        if found is None:
            return Answer(Outcome.NOT_SENT, "not recorded", address)
        return Answer(**_fields(found, address))

    def ping(
        self,
        address: str,
        count: int,
        gap_s: float,  # noqa: ARG002 - answers at once
        timeout_s: float,  # noqa: ARG002
        path: NetPath = ANY,
    ) -> Echoes:
        found = self._recorded.get((path.name, f"icmp {address}"))
        if found is None:
            return Echoes((), Outcome.NOT_SENT, "not recorded", address)
        values = _fields(found, address)
        values["rtts_ms"] = tuple(values.get("rtts_ms", ())[:count])
        return Echoes(**values)


def _fields(found: Mapping[str, Any], address: str) -> dict[str, Any]:
    values = {key: value for key, value in found.items() if key not in ("path", "asked")}
    values["outcome"] = Outcome(values.get("outcome", Outcome.ANSWERED))
    values["tied"] = Tied(values.get("tied", Tied.DEVICE))
    return {"peer": address, **values}
