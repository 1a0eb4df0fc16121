"""By which addresses others reach this machine: what agents are told, and what stands in certificates."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared
"""Addresses that mean: listen on every network."""

_LOOPBACK: Final = "127.0.0.1"
# an address for examples (RFC 5737): asking the kernel for the way there sends nothing
_FAR_AWAY: Final = ("192.0.2.1", 9)
# proc_fib_trie: each address of this machine is a leaf of its own, in two tables
_OWN_LEAF: Final = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")


def local_names() -> tuple[str, ...]:
    """The names this machine has for itself."""
    return ("localhost", "127.0.0.1", "::1", socket.gethostname())


def told_host(listening: str, names: Sequence[str] = ()) -> str:
    """What others are told to connect to: the first name given, else where we listen.

    Listening on every network, that is the address of our main connection; loopback is told only
    when we listen on loopback alone, or have no network at all.
    """
    if names:
        return names[0]
    if listening not in EVERYWHERE:
        return listening
    return next(iter(own_addresses()), _LOOPBACK)


def certificate_names(listening: Sequence[str], names: Sequence[str] = ()) -> tuple[str, ...]:
    """Every name and address that a certificate of ours must hold, for all the places we listen on."""
    found = [*local_names(), *names]
    for host in listening:
        found.extend(own_addresses() if host in EVERYWHERE else [host])
    return tuple(dict.fromkeys(found))


def url_of(scheme: str, host: str, port: int) -> str:
    """An address without a path (RFC 3986: IPv6 addresses stand in brackets)."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def own_addresses(proc: Path = Path("/proc/net")) -> tuple[str, ...]:
    """Addresses of this machine beyond loopback, the one of its main connection first."""
    found = [*parse_fib_trie(_text(proc / "fib_trie")), *parse_if_inet6(_text(proc / "if_inet6"))]
    main = _main_address()
    return tuple(dict.fromkeys([main, *found] if main in found else found))


def parse_fib_trie(text: str) -> list[str]:
    """IPv4 addresses of this machine in ``/proc/net/fib_trie``, without loopback and link-local ones."""
    return [address for address in dict.fromkeys(_OWN_LEAF.findall(text)) if _reachable(address)]


def parse_if_inet6(text: str) -> list[str]:
    """IPv6 addresses of this machine in ``/proc/net/if_inet6``, without loopback and link-local ones."""
    bare = (line.split()[0] for line in text.splitlines() if line.strip())
    found = (str(ipaddress.IPv6Address(int(digits, 16))) for digits in bare)
    return [address for address in found if _reachable(address)]


def _reachable(address: str) -> bool:
    known = ipaddress.ip_address(address)
    return not (known.is_loopback or known.is_link_local or known.is_unspecified)


def _main_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(_FAR_AWAY)
        except OSError:  # no way out of here
            return ""
        return str(asking.getsockname()[0])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:  # a kernel without it
        return ""
