"""What only Windows has: tick count, registry, WMI through PowerShell, rights.

Written against the documented interfaces; the tests run it on recorded answers only. Callable on
Windows only, except the pure functions.
"""

from __future__ import annotations

import calendar
import hashlib
import importlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hatang_agent.system import Battery

if TYPE_CHECKING:
    from hatang_agent.system import System

WMI_TIMEOUT_S = 30.0
PREFETCH_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"
"""Its value ``BootId`` rises by one at each start."""

_NO_BATTERY, _CHARGING, _UNKNOWN = 128, 8, 255  # SYSTEM_POWER_STATUS.BatteryFlag
_IDENTIFIER = re.compile(r"[A-Za-z0-9_/\\]+")
_ROOTS = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}


def full_key(key: str) -> str:
    r"""A registry key with its root's full name: ``HKLM\X`` becomes ``HKEY_LOCAL_MACHINE\X``."""
    root, _, rest = key.strip("\\").partition("\\")
    return f"{_ROOTS.get(root.upper(), root.upper())}\\{rest}"


def ticks_ms() -> int:
    """GetTickCount64: milliseconds since boot, sleep and hibernation included."""
    import ctypes

    windll: Any = vars(ctypes)["windll"]
    count = windll.kernel32.GetTickCount64
    count.restype = ctypes.c_uint64
    return int(count())


def battery() -> Battery | None:
    """GetSystemPowerStatus, without a child process; None without a battery."""
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("ac_line", ctypes.c_ubyte),
            ("flag", ctypes.c_ubyte),
            ("percent", ctypes.c_ubyte),
            ("system_flag", ctypes.c_ubyte),
            ("life_s", ctypes.c_uint32),
            ("full_life_s", ctypes.c_uint32),
        )

    windll: Any = vars(ctypes)["windll"]
    status = Status()
    if not windll.kernel32.GetSystemPowerStatus(ctypes.byref(status)):
        return None
    return power_status(int(status.ac_line), int(status.flag), int(status.percent))


def power_status(ac_line: int, flag: int, percent: int) -> Battery | None:
    """The members of SYSTEM_POWER_STATUS as words; 255 means that Windows does not know."""
    if flag != _UNKNOWN and flag & _NO_BATTERY:
        return None
    mains = {0: "off", 1: "on"}.get(ac_line, "unreadable")
    state = "unreadable"
    if flag != _UNKNOWN and flag & _CHARGING:
        state = "charging"
    elif mains == "off":
        state = "discharging"
    elif mains == "on" and percent == 100:
        state = "full"
    elif mains == "on" and flag != _UNKNOWN:
        state = "not_charging"
    return Battery(mains, state, float(percent) if percent <= 100 else None)


def is_administrator() -> bool:
    """Whether this process runs elevated."""
    import ctypes

    windll: Any = vars(ctypes)["windll"]
    return bool(windll.shell32.IsUserAnAdmin())


def boot_id(system: System) -> str:
    """A name of this boot: from the system's own counter of starts, else from the instant of boot.

    The instant is rounded to a minute: an adjusted clock may then give the same boot two names,
    which costs one more clock segment and no data.
    """
    values = system.registry(PREFETCH_KEY) or {}
    counter = values.get("BootId")
    boot_minute = (system.wall_ms() - system.boot_ms()) // 60_000
    seed = f"start {counter}" if counter is not None else f"minute {boot_minute}"
    return hashlib.sha256(seed.encode()).hexdigest()[:32]


def registry_values(key: str) -> Mapping[str, Any] | None:
    """Values of a key in the 64-bit view, None when it is absent or not to be read."""
    winreg: Any = importlib.import_module("winreg")
    root, _, rest = full_key(key).partition("\\")
    try:
        access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
        with winreg.OpenKey(getattr(winreg, root), rest, 0, access) as handle:
            count = winreg.QueryInfoKey(handle)[1]
            named = [winreg.EnumValue(handle, at) for at in range(count)]
            return {name: value for name, value, _ in named}
    except OSError:
        return None


def registry_keys(key: str) -> list[str]:
    """Names of the keys below a key in the 64-bit view."""
    winreg: Any = importlib.import_module("winreg")
    root, _, rest = full_key(key).partition("\\")
    try:
        access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
        with winreg.OpenKey(getattr(winreg, root), rest, 0, access) as handle:
            return sorted(winreg.EnumKey(handle, at) for at in range(winreg.QueryInfoKey(handle)[0]))
    except OSError:
        return []


def wmi_command(namespace: str, name: str, properties: Sequence[str]) -> list[str]:
    """The PowerShell command whose output is a JSON list of a class's objects."""
    for word in (namespace, name, *properties):
        if not _IDENTIFIER.fullmatch(word):
            raise ValueError(f"not a WMI identifier: {word!r}")
    columns = ",".join(properties)
    script = (
        "[Console]::OutputEncoding=[Text.Encoding]::UTF8;"
        f"ConvertTo-Json -Compress -Depth 3 -InputObject @(Get-CimInstance -Namespace '{namespace}' "
        f"-ClassName '{name}' -ErrorAction SilentlyContinue | Select-Object {columns})"
    )
    return ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", script]


def wmi(system: System, namespace: str, name: str, properties: Sequence[str]) -> list[Mapping[str, Any]]:
    """Objects of a WMI class; [] when the class is absent or PowerShell answers no JSON."""
    output = system.run(wmi_command(namespace, name, properties), WMI_TIMEOUT_S)
    try:
        found = json.loads(output.stdout.lstrip("\ufeff") or "[]")
    except ValueError:
        return []
    found = found if isinstance(found, list) else [found]
    return [one for one in found if isinstance(one, dict)]


def wmi_date_ms(value: Any) -> int | None:
    """UTC milliseconds of a WMI date: ``20130813153755.000000+120``, ``/Date(…)/`` or ISO 8601."""
    text = str(value or "")
    if found := re.fullmatch(r"/Date\((-?\d+)\)/", text):
        return int(found[1])
    if found := re.fullmatch(r"(\d{14})\.(\d{3})\d{3}([+-]\d{3})", text):
        seconds = calendar.timegm(time.strptime(found[1], "%Y%m%d%H%M%S")) - int(found[3]) * 60
        return seconds * 1000 + int(found[2])
    if found := re.match(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\S*?(Z|[+-]\d\d:\d\d)?$", text):
        seconds = calendar.timegm(time.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S"))
        zone = found[3] if found[3] and found[3] != "Z" else "+00:00"
        offset = (int(zone[1:3]) * 60 + int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
        return (seconds - offset * 60) * 1000
    return None
