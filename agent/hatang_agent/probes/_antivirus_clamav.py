"""ClamAV: an engine, an updater and, apart from both, a watcher of files.

``clamd`` by itself scans what somebody hands it; only ``clamonacc`` beside it watches files as they
are used ("On-Access Scanning", ClamAV documentation). A database file begins with 512 octets of
text, ``ClamAV-VDB:<time of making>:<version>:…`` ("CVD file format", same place).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hatang_agent.probes._antivirus_verdict import MONTHS, Found, age_days, pairs, raw, utc_ms

PROGRAMS = (
    "/usr/sbin/clamd",
    "/usr/bin/clamd",
    "/usr/bin/clamscan",
    "/usr/sbin/clamonacc",
    "/usr/bin/clamonacc",
)
CONFIGURATIONS = ("/etc/clamav/clamd.conf", "/etc/clamd.d/scan.conf", "/etc/clamd.conf")
DATABASE = "/var/lib/clamav"
DATABASES = ("daily.cld", "daily.cvd", "main.cld", "main.cvd")
HEADER = 512
DAEMONS = ("clamav-daemon.service", "clamd@scan.service")
WATCHERS = ("clamav-clamonacc.service", "clamonacc.service")
UNITS = (DAEMONS[0], *WATCHERS, DAEMONS[1], "clamav-freshclam.service")

_MADE = re.compile(r"ClamAV-VDB:(\d{1,2}) (\w{3}) (\d{4}) (\d\d)-(\d\d) ([+-])(\d\d)(\d\d):\d+:")


def made_ms(header: str) -> int | None:
    """UTC milliseconds at which a database was made, None when its head is not one."""
    found = _MADE.match(header)
    if not found or found[2] not in MONTHS:
        return None
    day, year, hour, minute, zone_hours, zone_minutes = (int(found[at]) for at in (1, 3, 4, 5, 7, 8))
    zone = (zone_hours * 60 + zone_minutes) * (-1 if found[6] == "-" else 1)
    return utc_ms((year, MONTHS.index(found[2]) + 1, day), (hour, minute, 0), zone)


def judge(
    header: str | None,
    database: str,
    units: Mapping[str, str],
    processes: frozenset[str] | None,
    now_ms: int,
) -> Found:
    """ClamAV from its database, its units and the names of the running programs (None: hidden)."""
    seen = processes or frozenset()
    watcher = _active(units, WATCHERS) or "clamonacc" in seen
    daemon = _active(units, DAEMONS) or "clamd" in seen
    known = processes is not None or any(name in units for name in WATCHERS)
    if watcher and daemon:
        active, why = True, ""
    elif not known:
        active, why = None, "neither its services nor the running programs can be seen"
    elif daemon:
        active, why = False, "only scans on request: clamonacc is not running"
    else:
        active, why = False, "only scans on request: clamd is not running"
    running = " ".join(sorted(seen & {"clamd", "clamonacc", "freshclam"}))
    head = raw(":".join(header.split(":")[:3])[:80]) if header is not None else "none"
    evidence = (
        f"{pairs(units, UNITS) or 'units not told'}; running: {running or 'none seen'}; {database}: {head}"
    )
    age = age_days(now_ms, made_ms(header or ""))
    return Found("clamav", "ClamAV", "Cisco", active, None, age, why, evidence)


def _active(units: Mapping[str, str], names: tuple[str, ...]) -> bool:
    return any(units.get(name) == "active" for name in names)
