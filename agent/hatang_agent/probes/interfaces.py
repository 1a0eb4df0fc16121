"""Network interfaces: what each real adapter carried, and what adapters there are.

Samples are sent for real adapters (Ethernet, Wi-Fi, cellular) only; an adapter without a link sends
no counters. Loopback, bridges, tunnels and other virtual adapters are listed as facts, not measured.

Counters are raw, since the adapter came up. A rate is the difference of two readings of this very
process within one boot of the system; it is left out when a counter went back or when it exceeds
the speed of the link. The first run takes two readings `first_reading_s` apart, so that it has a
rate as well; a recorded machine, whose clock stands still, has none.

`nic.primary` marks the adapter that holds the machine's own address in its office: hardware with a
default gateway, never a VPN's adapter. No adapter is marked when that cannot be told.

On Windows, counters come from the system's library at each run; kind, permanent address and
gateway come from WMI and are asked for again only when names, addresses or links change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hatang_agent.probes._nic import COUNTERS, Nic, primary
from hatang_agent.registry import Context, Field, NoData, Result
from hatang_agent.wire.report import Fact, Sample

INTERVAL_S = 60
DEADLINE_S = 60
ROLES = ("pc", "probe")

SOURCES = {
    "linux": (
        "file /proc/net/dev",
        "file /proc/net/route",
        "file /proc/net/if_inet6",
        "files /sys/class/net/<name>/{operstate,carrier,speed,address,addr_assign_type,type,uevent}, "
        "folders device, wireless, phy80211, bridge, bonding, link device/driver",
        "ioctl SIOCGIFCONF; recorded: `ip addr` (also alone, without the files)",
        "ioctl ETHTOOL_GPERMADDR; recorded: `ethtool -P <name>`",
    ),
    "windows": (
        "library net_io_counters, net_if_stats; recorded: root/cimv2 Win32_NetworkAdapter, "
        "Win32_PerfRawData_Tcpip_NetworkInterface",
        "WMI root/cimv2 Win32_NetworkAdapter, Win32_NetworkAdapterConfiguration",
        "WMI root/StandardCimv2 MSFT_NetAdapter (Windows 8 and later)",
        "command `systeminfo` where WMI shows no adapter (English systems)",
    ),
    "macos": ("library net_if_addrs, net_if_stats, net_io_counters",),
}

_TAGS = ("interface",)

FIELDS = (
    Field(
        "interfaces.up",
        "Card mạng có tín hiệu đường dây (1) hay không (0)",
        "link is up (1) or not (0)",
        "",
        _TAGS,
    ),
    Field("interfaces.rx_bytes", "Tổng số byte đã nhận", "bytes received", "B", _TAGS),
    Field("interfaces.tx_bytes", "Tổng số byte đã gửi", "bytes sent", "B", _TAGS),
    Field("interfaces.rx_errors", "Số gói nhận bị lỗi", "receive errors", "", _TAGS),
    Field("interfaces.tx_errors", "Số gói gửi bị lỗi", "send errors", "", _TAGS),
    Field("interfaces.rx_dropped", "Số gói nhận bị bỏ", "received packets dropped", "", _TAGS),
    Field("interfaces.tx_dropped", "Số gói gửi bị bỏ", "sent packets dropped", "", _TAGS),
    Field(
        "interfaces.rx_bps",
        "Tốc độ nhận kể từ lần đo trước",
        "receive rate since the run before",
        "bit/s",
        _TAGS,
    ),
    Field(
        "interfaces.tx_bps", "Tốc độ gửi kể từ lần đo trước", "send rate since the run before", "bit/s", _TAGS
    ),
    Field("nic.name", "Tên card mạng trong hệ điều hành", "name of the adapter", fact=True),
    Field(
        "nic.description", "Loại card mạng hoặc trình điều khiển", "model or driver of the adapter", fact=True
    ),
    Field("nic.mac", "Địa chỉ MAC đang dùng", "MAC address in use", fact=True),
    Field("nic.permanent_mac", "Địa chỉ MAC gốc của card", "MAC address burnt into the adapter", fact=True),
    Field("nic.up", "Card mạng có tín hiệu đường dây", "link is up", fact=True),
    Field("nic.virtual", "Là card ảo", "is a virtual adapter", fact=True),
    Field(
        "nic.medium",
        "Loại kết nối: dây, Wi-Fi, di động, Bluetooth, ảo, không rõ",
        "ethernet, wifi, cellular, bluetooth, virtual or unknown",
        fact=True,
    ),
    Field("nic.ipv4", "Địa chỉ IPv4 nội bộ", "IPv4 addresses", fact=True),
    Field(
        "nic.ipv6",
        "Địa chỉ IPv6 (không gồm địa chỉ tạm)",
        "IPv6 addresses, temporary ones left out",
        fact=True,
    ),
    Field("nic.gateway", "Cổng mạng mặc định", "default gateway", fact=True),
    Field("nic.speed_bps", "Tốc độ của đường dây", "speed of the link", "bit/s", fact=True),
    Field("nic.primary", "Giữ địa chỉ chính của máy", "holds the machine's own address", fact=True),
)

SPEED_SLACK = 1.1
"""A rate up to this much above the link's speed is the clock's grain; above it, a broken counter."""


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.interfaces]."""

    first_reading_s: float = field(
        default=1.0,
        metadata={
            "help": "seconds between the two readings of the first run; 0 = no rate",
            "minimum": 0,
            "maximum": 10,
        },
    )
    max_virtual: int = field(
        default=8, metadata={"help": "virtual adapters listed as facts, at most", "minimum": 0, "maximum": 64}
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """All adapters at one instant of the boot clock."""

    boot_id: str
    boot_ms: int
    nics: tuple[Nic, ...]


def measure(context: Context) -> Result:
    """Counters and rates of real adapters as samples, every adapter as a fact of kind ``nic``."""
    before: Reading | None = context.memory.get("reading")
    if before is None and context.config.first_reading_s > 0:
        before = read(context)
        context.system.wait(context.config.first_reading_s)
    reading = read(context)
    context.memory["reading"] = reading
    if not reading.nics:
        raise NoData("no network interface found")
    samples = [
        sample for nic in reading.nics if nic.real for sample in samples_of(nic, rates(before, reading, nic))
    ]
    virtual = sorted((nic for nic in reading.nics if nic.virtual), key=lambda nic: not nic.carries)
    virtual = virtual[: context.config.max_virtual]
    real = [nic for nic in reading.nics if not nic.virtual]
    main = primary(reading.nics)
    return Result(samples, [fact_of(nic, nic is main) for nic in [*real, *virtual]])


def read(context: Context) -> Reading:
    """All adapters now."""
    system = context.system
    boot_ms = system.boot_ms()
    if system.platform == "linux":
        from hatang_agent.probes import interfaces_linux

        nics = interfaces_linux.read(system)
    elif system.platform == "windows":
        from hatang_agent.probes import interfaces_windows

        nics = interfaces_windows.read(system, context.memory)
    else:
        from hatang_agent.probes import interfaces_macos

        nics = interfaces_macos.read(system)
    return Reading(system.boot_id(), boot_ms, tuple(nics))


def rates(before: Reading | None, now: Reading, nic: Nic) -> dict[str, int]:
    """Bit/s of an adapter between two readings; empty wherever a doubt remains."""
    if before is None or before.boot_id != now.boot_id or now.boot_ms <= before.boot_ms:
        return {}
    old = next((one for one in before.nics if (one.name, one.mac) == (nic.name, nic.mac)), None)
    if old is None or old.counters is None or nic.counters is None:
        return {}
    found = {}
    for direction in ("rx", "tx"):
        difference = nic.counters[f"{direction}_bytes"] - old.counters[f"{direction}_bytes"]
        rate = round(difference * 8_000 / (now.boot_ms - before.boot_ms))
        if difference < 0 or (nic.speed_bps and rate > nic.speed_bps * SPEED_SLACK):
            return {}
        found[f"{direction}_bps"] = min(rate, nic.speed_bps) if nic.speed_bps else rate
    return found


def samples_of(nic: Nic, rate: Mapping[str, int]) -> list[Sample]:
    """Samples of one real adapter; without a link only that it is down."""
    tags = {"interface": nic.name}
    samples = [Sample("interfaces.up", float(nic.up), "", tags)]
    if nic.up and nic.counters is not None:
        for name in COUNTERS:
            unit = "B" if name.endswith("bytes") else ""
            samples.append(Sample(f"interfaces.{name}", nic.counters[name], unit, tags))
    if nic.up:
        samples.extend(Sample(f"interfaces.{name}", value, "bit/s", tags) for name, value in rate.items())
    return samples


def fact_of(nic: Nic, is_primary: bool) -> Fact:
    """The adapter as a fact; what is not known is left out."""
    fields: dict[str, Any] = {
        "name": nic.name,
        "description": nic.description,
        "mac": nic.mac,
        "permanent_mac": nic.permanent_mac,
        "up": nic.up,
        "virtual": nic.virtual,
        "medium": nic.medium,
        "ipv4": ",".join(nic.ipv4),
        "ipv6": ",".join(nic.ipv6),
        "gateway": nic.gateway,
        "speed_bps": nic.speed_bps,
        "primary": is_primary,
    }
    return Fact("nic", nic.name, {key: value for key, value in fields.items() if value not in (None, "")})
