"""Answers of commercial products on Linux: pure readers of what their commands print.

A line that decides must be there exactly as documented or recorded, else the state stays unknown.
Commands run in the C locale; answers in another language are not read and stay unknown.
"""

from __future__ import annotations

import re

from hatang_agent.probes._antivirus_verdict import Found, age_days, raw, short, utc_ms
from hatang_agent.system import Output

BITDEFENDER = "Bitdefender Endpoint Security Tools (BEST) for Linux"
KASPERSKY = "Kaspersky Endpoint Security for Linux"
SOPHOS = "Sophos Anti-Virus for Linux"
ESET = "ESET for Linux"

_UNREAD = "its answer cannot be read"


def lines_of(text: str) -> dict[str, str]:
    """``Label: value`` lines; a label that comes twice with two values is left out as contradictory."""
    found: dict[str, str] = {}
    twice = set()
    for line in text.splitlines():
        label, colon, value = line.partition(":")
        label = label.strip().lstrip("-").strip()
        if colon and found.setdefault(label, value.strip()) != value.strip():
            twice.add(label)
    return {label: value for label, value in found.items() if label not in twice}


def _instant_ms(date: str, time: str = "12:00:00", zone_minutes: int = 0) -> int | None:
    """UTC milliseconds of ``2023-08-24`` and ``11:44:37``, None when they are no date and time."""
    year, month, day = (int(part) for part in date.split("-"))
    hour, minute, second = (int(part) for part in time.split(":"))
    return utc_ms((year, month, day), (hour, minute, second), zone_minutes)


def _unread(key: str, product: str, vendor: str, output: Output, why: str = _UNREAD) -> Found:
    printed = raw(f"exit {output.exit}\n{output.stdout}\n{output.stderr}")
    return Found(key, product, vendor, why=why, evidence=printed)


_SECURITY_CONTENT = re.compile(
    r"(\d{4}-\d\d-\d\d) at (\d\d:\d\d:\d\d)(?: (?:GMT|UTC)(?:([+-]\d{1,2})(?::?(\d\d))?)?)?"
)


def bitdefender(output: Output, now_ms: int) -> Found:
    """``bduitool get ps``: Antimalware status, the last update of the security content."""
    told = lines_of(output.stdout)
    watching = {"On": True, "Off": False}.get(told.get("Antimalware status", ""))
    if output.exit != 0 or watching is None:
        return _unread("bitdefender", BITDEFENDER, "Bitdefender", output)
    updated = _SECURITY_CONTENT.fullmatch(told.get("Last security content update", ""))
    then_ms = None
    if updated:
        hours, minutes = int(updated[3] or 0), int(updated[4] or 0)
        then_ms = _instant_ms(updated[1], updated[2], hours * 60 + (minutes if hours >= 0 else -minutes))
    current = True if updated and told.get("New security content available") == "no" else None
    shown = (
        "Product version",
        "Engines version",
        "Last security content update",
        "New security content available",
        "Antimalware status",
    )
    return Found(
        "bitdefender",
        BITDEFENDER,
        "Bitdefender",
        watching,
        current,
        age_days(now_ms, then_ms),
        "" if watching else "its antimalware module is off",
        _shown(told, shown),
    )


_DATABASES = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?: UTC)?")


def kaspersky(output: Output, now_ms: int) -> Found:
    """``kesl-control --app-info``: the task that guards files and the date of the databases."""
    told = lines_of(output.stdout)
    guard = told.get("File Threat Protection") or told.get("File monitoring") or ""
    loaded = told.get("Application databases loaded") or told.get("Anti-virus databases loaded")
    product = told.get("Name", "")
    product = product if product.startswith("Kaspersky") and len(product) < 100 else KASPERSKY
    if output.exit != 0 or guard == "":
        return _unread("kaspersky", product, "Kaspersky", output)
    shown = (
        "Version",
        "File Threat Protection",
        "File monitoring",
        "Application databases loaded",
        "Anti-virus databases loaded",
        "Last release date of databases",
    )
    active: bool | None
    if guard == "Available and running":
        active, why = (
            (True, "") if loaded == "Yes" else (None, "it does not say that its databases are loaded")
        )
        if loaded == "No":
            active, why = False, "its databases are not loaded"
    elif guard == "Available and stopped" or guard.startswith("Unavailable"):
        active, why = False, "its protection of files is not running"
    else:
        active, why = None, "the state of its protection of files is an unknown word"
    made = _DATABASES.fullmatch(told.get("Last release date of databases", ""))
    age = age_days(now_ms, _instant_ms(made[1], made[2])) if made else None
    return Found("kaspersky", product, "Kaspersky", active, None, age, why, _shown(told, shown))


_SOPHOS = {
    "Sophos Anti-Virus is active and on-access scanning is running": (True, ""),
    "Sophos Anti-Virus is active but on-access scanning is not running": (
        False,
        "only scans on request: on-access scanning is not running",
    ),
    "Sophos Anti-Virus is inactive": (False, "it is not running"),
    "Sophos Anti-Virus is not active": (False, "it is not running"),
}


def sophos(output: Output, now_ms: int) -> Found:
    """``savdstatus`` of Sophos Anti-Virus 9; it does not tell how old the signatures are."""
    del now_ms
    active, why = _SOPHOS.get(output.stdout.strip().rstrip("."), (None, _UNREAD))
    if active is None:
        return _unread("sophos", SOPHOS, "Sophos", output)
    return Found("sophos", SOPHOS, "Sophos", active, why=why, evidence=raw(output.stdout))


_DETECTION_ENGINE = re.compile(r"(?m)^.*\((\d{4})(\d\d)(\d\d)\)\s*Detection engine\s*$")


def eset_database_ms(text: str) -> int | None:
    """Noon (UTC) of the day in the line of the detection engine of ``upd --list-modules``."""
    found = _DETECTION_ENGINE.search(text)
    return _instant_ms(f"{found[1]}-{found[2]}-{found[3]}") if found else None


def eset_line(text: str) -> str:
    """That line itself, empty when there is none."""
    found = _DETECTION_ENGINE.search(text)
    return raw(found[0]) if found else ""


def _shown(told: dict[str, str], labels: tuple[str, ...]) -> str:
    return short(" | ".join(f"{label}: {told[label]}" for label in labels if label in told))
