"""Unexpected ends of a Linux machine: from wtmp by ``last``, else from the journal.

``last`` is asked for the pseudo users ``reboot`` and ``shutdown`` only: no person's name is read.
Debian 13 has no ``last`` any more; there, and where wtmp was just rotated, the journal tells, if it is
kept over a restart and this process may read it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from hatang_agent.system import CommandMissing, CommandTimeout, Output, System

LAST = ("last", "-x", "--time-format", "iso", "reboot", "shutdown")
BOOTS = ("journalctl", "--utc", "--list-boots", "--no-pager")
ENDS = (
    "journalctl",
    "--utc",
    "--no-pager",
    "--output=json",
    "--output-fields=_BOOT_ID",
    "UNIT=shutdown.target",
)
TIMEOUT_S = 20.0
WINDOW_MS = 30 * 86_400_000

Found = tuple[str, tuple[int, ...], int]
"""Source, moments of unexpected ends, and since when it would have told them."""

_EVENT = re.compile(r"(reboot|shutdown) .*? (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[+-]\d\d:\d\d|Z))")
_BEGINS = re.compile(r"(?m)^\S+ begins (\d{4}-\d\d-\d\dT\S+)")
_BOOT = re.compile(
    r"\s*-?\d+ ([0-9a-f]{32}) \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC(?:—|\s+)\w{3} "
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC"
)
_NO_RIGHTS = "not seeing messages from other users"


def records(system: System) -> Iterator[Found | str]:
    """What each source tells, or why it tells nothing; the journal only when wtmp is not enough."""
    found = _asked(system, LAST)
    told = found if isinstance(found, str) else from_last(found.stdout)
    yield told
    if isinstance(told, str) or told[2] > system.wall_ms() - WINDOW_MS:
        yield _from_journal(system)


def _asked(system: System, argv: tuple[str, ...]) -> Output | str:
    try:
        output = system.run(argv, TIMEOUT_S)
    except CommandMissing:
        return f"{argv[0]} is not installed"
    except CommandTimeout:
        return f"{argv[0]} took too long"
    if output.exit != 0:
        return f"{argv[0]}: {_first_line(output.stderr)}"
    return output


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "failed")[:150]


def from_last(text: str) -> Found | str:
    """A start right after a start, without a shutdown in between, is an unexpected end."""
    events = [(match[1], _ms(match[2])) for match in map(_EVENT.match, text.splitlines()) if match]
    begins = _BEGINS.search(text)
    if begins is None or not any(kind == "reboot" for kind, _ in events):
        return "wtmp holds no start of the machine"
    unexpected = []
    previous = ""
    for kind, at_ms in reversed(events):  # the newest stands first
        if kind == previous == "reboot":
            unexpected.append(at_ms)
        previous = kind
    return "wtmp", tuple(unexpected), _ms(begins[1])


def _from_journal(system: System) -> Found | str:
    boots, ends = _asked(system, BOOTS), _asked(system, ENDS)
    if isinstance(boots, str):
        return boots
    if isinstance(ends, str):
        return ends
    if _NO_RIGHTS in boots.stderr + ends.stderr:
        return "no right to read the system's journal"
    return from_journal(boots.stdout, ends.stdout)


def from_journal(boots: str, ends: str) -> Found | str:
    """A boot before this one whose journal never reached shutdown.target ended unexpectedly."""
    known = [
        (match[1], _ms(match[2]), _ms(match[3])) for match in map(_BOOT.match, boots.splitlines()) if match
    ]
    if len(known) < 2:
        return "the journal holds no boot before this one"
    known.sort(key=lambda boot: boot[1])
    orderly = set()
    for line in ends.splitlines():
        try:
            orderly.add(json.loads(line)["_BOOT_ID"])
        except (ValueError, KeyError, TypeError):
            continue
    unexpected = tuple(end_ms for boot, _, end_ms in known[:-1] if boot not in orderly)
    return "journal", unexpected, known[0][1]


def _ms(text: str) -> int:
    from datetime import UTC, datetime

    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
