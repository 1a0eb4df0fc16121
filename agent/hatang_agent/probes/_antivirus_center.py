"""What Windows says of antivirus products: SecurityCenter2 registrations and Defender's own class.

``AntiVirusProduct.productState`` is not documented and Microsoft calls decoding it unsupported.
Read here by the convention that every public tool uses: bits 0xF000 are 0x0000 off, 0x1000 on,
0x2000 snoozed, 0x3000 expired; bits 0x00F0 are 0x00 current, 0x10 out of date; bits 0x0F00 say
whether it is Microsoft's own; above them bit 0x40000 marks an antivirus. Any other value of these
bits is unknown and read as nothing. The number stays in the evidence.

``MSFT_MpComputerStatus`` is documented ("MSFT_MpComputerStatus class", Microsoft Learn; the values
of AMRunningMode in "Microsoft Defender Antivirus compatibility with other security products").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hatang_agent.probes._antivirus_products import DEFENDER, by_name
from hatang_agent.probes._antivirus_verdict import (
    MAX_NAME,
    MONTHS,
    Found,
    age_days,
    flag,
    key_of,
    pairs,
    raw,
    short,
    utc_ms,
)
from hatang_agent.system_windows import wmi_date_ms

CENTER = ("root/SecurityCenter2", "AntiVirusProduct")
CENTER_PROPERTIES = ("displayName", "instanceGuid", "productState", "timestamp")
STATUS = ("root/Microsoft/Windows/Defender", "MSFT_MpComputerStatus")
STATUS_PROPERTIES = (
    "AMRunningMode",
    "AMServiceEnabled",
    "AntivirusEnabled",
    "RealTimeProtectionEnabled",
    "AntivirusSignatureAge",
    "AntivirusSignatureLastUpdated",
    "DefenderSignaturesOutOfDate",
    "AMProductVersion",
    "AntivirusSignatureVersion",
)

DEFENDER_GUIDS = ("{D68DDC3A-831F-4FAE-9E44-DA132C1ACF46}", "{D58FFC3A-813B-4FAE-9E44-DA132C9FAA36}")
MAX_AGE_DAYS = 65_534
"""Defender writes 65535 or 4294967295 for "never"."""

_POWER = {0x0000: (False, "off"), 0x1000: (True, ""), 0x2000: (False, "snoozed"), 0x3000: (False, "expired")}
_SIGNATURES = {0x00: True, 0x10: False}
_OWNERS = (0x000, 0x100)
_ANTIVIRUS = 0x40000
_WORKING_MODE = "normal"
_IDLE_MODES = ("passive mode", "sxs passive mode", "edr block mode", "not running")


def decode(state: Any) -> tuple[bool | None, bool | None, str]:
    """Active, current and why of a ``productState``; None where its bits are unknown."""
    number = _whole(state)
    if number is None:
        return None, None, "its registered state is no number"
    power = _POWER.get(number & 0xF000)
    known = number & 0xF == 0 and number & 0xF00 in _OWNERS and number & _ANTIVIRUS and number < 0x1000000
    if power is None or not known:
        return None, None, "its registered state is unknown"
    active, word = power
    current = _SIGNATURES.get(number & 0xF0)
    if active and current is None:
        return None, None, "the registered state of its signatures is unknown"
    return active, current, f"it is registered as {word}" if word else ""


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def registrations(objects: Sequence[Mapping[str, Any]]) -> list[Found]:
    """One product for each key; several registrations of one product are settled among themselves."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in objects:
        groups.setdefault(_key(one), []).append(one)
    return [_settled(key, group) for key, group in groups.items()]


def _name(one: Mapping[str, Any]) -> str:
    return " ".join(str(one.get("displayName") or "").split())


def _key(one: Mapping[str, Any]) -> str:
    if str(one.get("instanceGuid") or "").upper() in DEFENDER_GUIDS:
        return DEFENDER.key
    product = by_name(_name(one))
    return product.key if product else key_of(_name(one))


def _settled(key: str, group: Sequence[Mapping[str, Any]]) -> Found:
    """After an update the old registration may stay: the newest counts, if their times tell which it is.

    Without times they must agree; else nobody knows which one is alive.
    """
    newest = _newest(group)
    states = {decode(one.get("productState")) for one in group}
    chosen = newest if newest is not None else group[0]
    active, current, why = decode(chosen.get("productState"))
    if newest is None and len(states) > 1:
        active, current, why = None, None, f"its {len(group)} registrations disagree"
    product = by_name(_name(chosen))
    name = _name(chosen) or (product.name if product else DEFENDER.name if key == DEFENDER.key else "")
    vendor = DEFENDER.vendor if key == DEFENDER.key else product.vendor if product else ""
    return Found(
        key,
        short(name or "unnamed product", MAX_NAME),
        vendor,
        active,
        current,
        why=why,
        evidence="SecurityCenter2 " + ", ".join(_shown(one) for one in group),
    )


def _newest(group: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    timed = [(_instant(one.get("timestamp")), one) for one in group]
    if any(instant is None for instant, _ in timed):
        return None
    latest = max(instant for instant, _ in timed if instant is not None)
    at_latest = [one for instant, one in timed if instant == latest]
    return at_latest[0] if len(at_latest) == 1 else None


_TIMESTAMP = re.compile(r"\w{3}, (\d{1,2}) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")


def _instant(text: Any) -> int | None:
    """UTC milliseconds of ``Mon, 25 Jan 2016 18:48:29 GMT``."""
    found = _TIMESTAMP.fullmatch(text) if isinstance(text, str) else None
    if not found or found[2] not in MONTHS:
        return None
    day, year, hour, minute, second = (int(found[at]) for at in (1, 3, 4, 5, 6))
    return utc_ms((year, MONTHS.index(found[2]) + 1, day), (hour, minute, second))


def _shown(one: Mapping[str, Any]) -> str:
    number = _whole(one.get("productState"))
    if number is None:
        return f"productState={raw(str(one.get('productState')))}"
    return f"productState={number} (0x{number:06X})"


def defender(
    status: Mapping[str, Any] | None, registered: Found | None, now_ms: int, service: str = ""
) -> Found | None:
    """Defender by its own class, which corrects its registration; None when neither is there.

    ``service`` is the state of the service WinDefend, for the evidence.
    """
    if status is None or all(status.get(name) is None for name in STATUS_PROPERTIES):
        return registered
    active, why = _mode(status)
    current, age = _signatures(status, now_ms)
    if registered is not None and current is None and age is None:
        current = registered.current
    if active is None and registered is not None and not _told(status):
        active, why = registered.active, registered.why
    evidence = f"MSFT_MpComputerStatus {pairs(_texts(status), STATUS_PROPERTIES)}"
    if service:
        evidence += f"; WinDefend={service}"
    if registered is not None:
        evidence = f"{registered.evidence}; {evidence}"
    name = registered.product if registered else DEFENDER.name
    return Found(DEFENDER.key, name, DEFENDER.vendor, active, current, age, why, short(evidence))


def _told(status: Mapping[str, Any]) -> bool:
    return any(
        status.get(name) is not None
        for name in ("AntivirusEnabled", "RealTimeProtectionEnabled", "AMRunningMode", "AMServiceEnabled")
    )


def _mode(status: Mapping[str, Any]) -> tuple[bool | None, str]:
    mode = str(status.get("AMRunningMode") or "").strip().lower()
    told = [
        status.get(name) for name in ("AMServiceEnabled", "AntivirusEnabled", "RealTimeProtectionEnabled")
    ]
    service, enabled, real_time = (flag(value) for value in told)
    if service is False or enabled is False:
        return False, "it is switched off"
    if mode in _IDLE_MODES:
        return False, f"it runs in another mode: {mode}"
    if real_time is False:
        return False, "real-time protection is off"
    if any(value is not None and flag(value) is None for value in told):
        return None, "its class tells an unknown word"
    if mode not in ("", _WORKING_MODE):
        return None, "its running mode is an unknown word"
    if enabled and (real_time or mode == _WORKING_MODE):
        return True, ""
    return None, "its class does not tell whether it watches"


def _signatures(status: Mapping[str, Any], now_ms: int) -> tuple[bool | None, int | None]:
    """What Defender says of its signatures, and their age in days."""
    stale = flag(status.get("DefenderSignaturesOutOfDate"))
    age = _whole(status.get("AntivirusSignatureAge"))
    if age is None or age > MAX_AGE_DAYS:
        updated_ms = wmi_date_ms(status.get("AntivirusSignatureLastUpdated"))
        age = age_days(now_ms, updated_ms) if updated_ms and updated_ms > 0 else None
    return (None if stale is None else not stale), age


def _texts(status: Mapping[str, Any]) -> dict[str, Any]:
    """The values for the evidence; whatever is no number, flag or short word is cut down to one."""
    return {
        name: value if isinstance(value, (bool, int)) else raw(str(value))[:40]
        for name, value in status.items()
        if value is not None
    }
