"""The operating system: name, edition, version, build, architecture, end of support; this boot, uptime.

Until when the system gets security updates comes from a dated table in the package (`support_as_of`
says of when); a system that is not in it is `unknown`. Paid extensions of support are not counted.

The machine's own name is personal in many offices. It is sent as a keyed hash (HMAC-SHA-256 under
the agent's secret), by which somebody who already knows the name can recognise it; plain only when
the policy in [privacy] allows, and not at all without a key or when the policy is `off`.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hatang_agent.registry import Context, Field, NoData, Result
from hatang_agent.system import System
from hatang_agent.wire.report import Fact, Sample

INTERVAL_S = 3_600
DEADLINE_S = 60
ROLES = ("pc", "probe")

SOURCES = {
    "linux": (
        "file /etc/os-release (or /usr/lib/os-release)",
        "file /proc/sys/kernel/osrelease",
        "file /proc/sys/kernel/random/boot_id",
        "CLOCK_BOOTTIME; recorded: file /proc/uptime",
        "host name; recorded: file /etc/hostname",
    ),
    "windows": (
        r"registry HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion",
        r"registry HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management"
        r"\PrefetchParameters",
        "WMI root/cimv2 Win32_OperatingSystem where the registry does not tell",
        "command `systeminfo` where neither tells (English systems)",
    ),
    "macos": ("command `sw_vers`", "command `sysctl -n kern.bootsessionuuid`"),
}

FIELDS = (
    Field("system.uptime_s", "Thời gian từ lần khởi động", "time since boot, sleep included", "s"),
    Field("os.name", "Tên hệ điều hành", "name of the operating system", fact=True),
    Field("os.edition", "Bản của hệ điều hành", "edition", fact=True),
    Field("os.version", "Phiên bản", "version", fact=True),
    Field("os.build", "Số bản dựng", "build", fact=True),
    Field("os.kernel", "Phiên bản nhân", "kernel", fact=True),
    Field("os.arch", "Kiến trúc bộ xử lý", "architecture", fact=True),
    Field("os.supported", "Còn được cập nhật bảo mật: có, không, không rõ", "yes, no or unknown", fact=True),
    Field("os.support_end", "Ngày cuối còn được cập nhật bảo mật", "last day of security updates", fact=True),
    Field("os.support_as_of", "Ngày của bảng hạn hỗ trợ", "day of the table of support ends", fact=True),
    Field("os.boot_id", "Mã ngẫu nhiên của lần khởi động này", "name of this boot", fact=True),
    Field("os.host_name_hmac", "Mã băm có khóa của tên máy", "keyed hash of the host name", fact=True),
    Field(
        "os.host_name",
        "Tên máy (chỉ khi chính sách cho phép)",
        "host name (only if policy allows)",
        fact=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.system]. Both are filled in from [privacy] and the agent's identity."""

    host_name: str = field(default="hmac", metadata={"help": "off, hmac or plain; see [privacy]"})
    host_name_key: str = field(default="", metadata={"help": "key of the hash, hexadecimal"})


def measure(context: Context) -> Result:
    """The fact ``os`` and the sample ``system.uptime_s``."""
    system = context.system
    today = time.strftime("%Y-%m-%d", time.gmtime(system.wall_ms() / 1000))
    fields = {key: value for key, value in _describe(system, today).items() if value}
    if not fields:
        raise NoData("the system does not tell what it is")
    if boot_id := system.boot_id():
        fields["boot_id"] = boot_id
    fields |= host_name_fields(system.host_name(), context.config.host_name, context.config.host_name_key)
    uptime_s = system.boot_ms() // 1000
    samples = [Sample("system.uptime_s", uptime_s, "s")] if uptime_s else []
    return Result(samples, [Fact("os", "", fields)])


def host_name_fields(name: str, policy: str, key: str) -> dict[str, str]:
    """What may leave of a host name."""
    if not name or policy == "off":
        return {}
    if policy == "plain":
        return {"host_name": name}
    if not key:  # an unkeyed hash of a name could be guessed
        return {}
    return {
        "host_name_hmac": hmac.new(bytes.fromhex(key), name.lower().encode(), hashlib.sha256).hexdigest()[:32]
    }


def _describe(system: System, today: str) -> Mapping[str, Any]:
    if system.platform == "linux":
        from hatang_agent.probes import system_linux

        return system_linux.describe(system, today)
    if system.platform == "windows":
        from hatang_agent.probes import system_windows

        return system_windows.describe(system, today)
    from hatang_agent.probes import system_macos

    return system_macos.describe(system)
