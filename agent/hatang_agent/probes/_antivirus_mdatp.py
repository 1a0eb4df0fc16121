"""Microsoft Defender for Endpoint on Linux and macOS: ``mdatp health --output json``.

Written against "Investigate agent health issues" (Microsoft Learn); the JSON names are those of
recorded answers: a setting is a value, or an object with ``value``.
"""

from __future__ import annotations

import json
from typing import Any

from hatang_agent.probes._antivirus_verdict import Found, age_days, flag, raw, short
from hatang_agent.system import Output

MDATP = ("mdatp", "health", "--output", "json")

KEY, PRODUCT, VENDOR = "microsoft_defender", "Microsoft Defender", "Microsoft"

MINUTES_A_DAY = 1440
_SHOWN = (
    "appVersion",
    "realTimeProtectionEnabled",
    "realTimeProtectionAvailable",
    "passiveModeEnabled",
    "healthy",
    "engineLoadStatus",
    "definitionsStatus",
    "definitionsVersion",
    "definitionsUpdated",
)
_DEFINITIONS = {"uptodate": True, "updating": None, "outofdate": False, "unavailable": False}


def parse(output: Output, now_ms: int) -> Found:
    """What the answer says; anything that is not the known answer leaves ``active`` None."""
    try:
        answer = json.loads(output.stdout)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or output.exit != 0:
        printed = raw(f"exit {output.exit}\n{output.stdout}\n{output.stderr}")
        return Found(KEY, PRODUCT, VENDOR, why="its answer cannot be read", evidence=printed)
    told, current = _definitions(answer)
    active, why = _watching(answer, told, current)
    issues = answer.get("healthIssues")
    shown = {name: _plain(answer.get(name)) for name in _SHOWN}
    evidence = " ".join(f"{name}={value}" for name, value in shown.items() if value is not None)
    if isinstance(issues, list) and issues:
        evidence += f" healthIssues={raw('; '.join(map(str, issues)))}"
    return Found(KEY, PRODUCT, VENDOR, active, current, _age(answer, now_ms), why, short(evidence))


def _plain(value: Any) -> Any:
    """The value of a setting, however it is wrapped; None for what is none."""
    if isinstance(value, dict):
        value = value.get("value", value.get("$type"))
    return value if isinstance(value, (str, int, bool)) else None


def _definitions(answer: dict[str, Any]) -> tuple[bool, bool | None]:
    """Whether the state of the definitions is one that is known or not told, and what it means."""
    value = answer.get("definitionsStatus")
    if value is None:
        return True, None
    word = str(_plain(value)).replace("_", "").replace(" ", "").lower()
    return word in _DEFINITIONS, _DEFINITIONS.get(word)


def _watching(answer: dict[str, Any], told: bool, current: bool | None) -> tuple[bool | None, str]:
    setting = {name: answer.get(name) for name in ("realTimeProtectionEnabled", "passiveModeEnabled")}
    enabled, passive = (flag(_plain(value)) for value in setting.values())
    available, healthy = flag(answer.get("realTimeProtectionAvailable")), flag(answer.get("healthy"))
    engine = answer.get("engineLoadStatus")
    if passive:
        return False, "it runs in passive mode"
    if enabled is False:
        return False, "real-time protection is off"
    if available is False:
        return False, "real-time protection is not available"
    if enabled is None or (passive is None and setting["passiveModeEnabled"] is not None):
        return None, "it does not tell whether real-time protection is on"
    if not told:
        return None, "the state of its definitions is an unknown word"
    if engine is not None and engine != "Engine load succeeded":
        return None, "its engine is not loaded"
    if healthy is False and current is not False:
        return None, "it says that it is not healthy"
    return True, ""


def _age(answer: dict[str, Any], now_ms: int) -> int | None:
    """Days by the instant of the last update; by its own count of minutes when a clock is wrong."""
    updated, minutes = answer.get("definitionsUpdated"), answer.get("definitionsUpdatedMinutesAgo")
    then_ms = int(updated) if isinstance(updated, str) and updated.isdecimal() and updated.isascii() else None
    days = age_days(now_ms, then_ms)
    if days is None and isinstance(minutes, int) and not isinstance(minutes, bool) and minutes >= 0:
        return minutes // MINUTES_A_DAY
    return days
