"""Adapters of a Linux machine, from /proc/net and /sys/class/net; recorded ones from ``ip addr`` alone."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from hatang_agent.probes._nic import BLUETOOTH, CELLULAR, ETHERNET, UNKNOWN, VIRTUAL, WIFI, Nic
from hatang_agent.system import Interface, System

MAX_ADDRESSES = 4
_PERMANENT = "0"  # NET_ADDR_PERM in include/uapi/linux/netdevice.h
_TEMPORARY = 0x01  # IFA_F_TEMPORARY in include/uapi/linux/if_addr.h
_LINK_SCOPE = 0x20
_ROUTE_GATEWAY = 0x2  # RTF_GATEWAY


def read(system: System) -> list[Nic]:
    """Every adapter by name."""
    counted = parse_dev(system.read_text("/proc/net/dev") or "")
    gateways = parse_routes(system.read_text("/proc/net/route") or "")
    ipv6 = parse_if_inet6(system.read_text("/proc/net/if_inet6") or "")
    known = system.usage.interfaces()
    return [
        _nic(system, name, counted.get(name), known.get(name), gateways.get(name), ipv6.get(name))
        for name in sorted(counted or known)
    ]


def _nic(
    system: System,
    name: str,
    counters: Mapping[str, int] | None,
    known: Interface | None,
    route: tuple[str, int] | None,
    ipv6: tuple[str, ...] | None,
) -> Nic:
    folder = f"/sys/class/net/{name}"
    recorded = system.read_text(f"{folder}/address") is not None
    state = _word(system, f"{folder}/operstate")
    hardware = bool(system.list_dir(f"{folder}/device")) or system.link_target(f"{folder}/device") is not None
    virtual = not hardware if recorded else _virtual_by_name(name)
    mac = _word(system, f"{folder}/address") or (known.mac if known else "")
    if recorded:
        up = state == "up" or (state == "unknown" and _word(system, f"{folder}/carrier") == "1")
    else:
        up = bool(known and known.up)
    if ipv6 is None:
        ipv6 = tuple(one for one in known.ipv6 if not one.startswith("fe80")) if known else ()
    return Nic(
        name=name,
        up=up,
        virtual=virtual,
        medium=VIRTUAL if virtual else _medium(system, folder, name),
        description=(system.link_target(f"{folder}/device/driver") or "").rpartition("/")[2],
        mac="" if mac == "00:00:00:00:00:00" else mac,
        permanent_mac=None if virtual else _permanent(system, folder, name, mac),
        ipv4=tuple(sorted(known.ipv4))[:MAX_ADDRESSES] if known else (),
        ipv6=ipv6[:MAX_ADDRESSES],
        gateway=route[0] if route else None,
        metric=route[1] if route else None,
        speed_bps=_speed(system, folder) if up else None,
        counters=counters,
        carries=virtual and _carries(system, folder),
    )


def _word(system: System, path: str) -> str:
    return (system.read_text(path) or "").strip().lower()


def _virtual_by_name(name: str) -> bool:
    """For recordings without /sys: what the kernel and systemd call real cards."""
    return not name.startswith(("eth", "en", "wl", "ww", "usb"))


def _carries(system: System, folder: str) -> bool:
    kinds = ("DEVTYPE=bridge", "DEVTYPE=bond", "DEVTYPE=vlan")
    return (
        any(kind in (system.read_text(f"{folder}/uevent") or "").split() for kind in kinds)
        or bool(system.list_dir(f"{folder}/bridge"))
        or bool(system.list_dir(f"{folder}/bonding"))
    )


def _medium(system: System, folder: str, name: str) -> str:
    kinds = {"DEVTYPE=wlan": WIFI, "DEVTYPE=wwan": CELLULAR, "DEVTYPE=bluetooth": BLUETOOTH}
    for line in (system.read_text(f"{folder}/uevent") or "").split():
        if line in kinds:
            return kinds[line]
    if (
        system.list_dir(f"{folder}/wireless")
        or system.list_dir(f"{folder}/phy80211")
        or name.startswith("wl")
    ):
        return WIFI
    if name.startswith("ww"):
        return CELLULAR
    return ETHERNET if _word(system, f"{folder}/type") in ("1", "") else UNKNOWN


def _permanent(system: System, folder: str, name: str, mac: str) -> str | None:
    if found := system.usage.permanent_mac(name):
        return found
    return mac if mac and _word(system, f"{folder}/addr_assign_type") == _PERMANENT else None


def _speed(system: System, folder: str) -> int | None:
    text = _word(system, f"{folder}/speed")  # Mbit/s; -1 or unreadable where it means nothing
    return int(text) * 1_000_000 if text.isdigit() and 0 < int(text) < 4_000_000 else None


def parse_dev(text: str) -> dict[str, dict[str, int]]:
    """Counters by interface from /proc/net/dev."""
    found = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        numbers = rest.split()
        if not colon or len(numbers) < 16 or not all(number.isdigit() for number in numbers):
            continue
        (rx_bytes, _, rx_errors, rx_dropped), (tx_bytes, _, tx_errors, tx_dropped) = (
            [int(number) for number in numbers[start : start + 4]] for start in (0, 8)
        )
        found[name.strip()] = {
            "rx_bytes": rx_bytes,
            "tx_bytes": tx_bytes,
            "rx_errors": rx_errors,
            "tx_errors": tx_errors,
            "rx_dropped": rx_dropped,
            "tx_dropped": tx_dropped,
        }
    return found


def parse_routes(text: str) -> dict[str, tuple[str, int]]:
    """The IPv4 default gateway of each interface and its metric, the lowest, from /proc/net/route."""
    best: dict[str, tuple[str, int]] = {}
    for line in text.splitlines()[1:]:
        parts = line.split()
        try:
            name, destination, gateway, mask = parts[0], parts[1], parts[2], parts[7]
            flags, metric = int(parts[3], 16), int(parts[6])
            address = socket.inet_ntop(socket.AF_INET, bytes.fromhex(gateway)[::-1])
        except (IndexError, ValueError):
            continue
        default = int(destination, 16) == 0 and int(mask, 16) == 0 and flags & _ROUTE_GATEWAY
        if default and (name not in best or metric < best[name][1]):
            best[name] = (address, metric)
    return best


def parse_if_inet6(text: str) -> dict[str, tuple[str, ...]]:
    """Lasting IPv6 addresses by interface from /proc/net/if_inet6: no link-local, no temporary ones."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        parts = line.split()
        try:
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(parts[0]))
            scope, flags, name = int(parts[3], 16), int(parts[4], 16), parts[5]
        except (IndexError, ValueError):
            continue
        if scope != _LINK_SCOPE and not flags & _TEMPORARY:
            found.setdefault(name, []).append(address)
    return {name: tuple(sorted(addresses)) for name, addresses in found.items()}
