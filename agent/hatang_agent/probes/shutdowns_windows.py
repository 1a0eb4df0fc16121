"""Unexpected ends of a Windows machine, from its event log by ``Get-WinEvent``.

Kernel-Power 41 ("the system has rebooted without cleanly shutting down first") and EventLog 6008 ("the
previous system shutdown was unexpected") are written at the start after. Only their times are read.
Written against the pages "Get-WinEvent" and "Event ID 41: The system has rebooted without cleanly
shutting down first"; run on recordings only, never on Windows.
"""

from __future__ import annotations

import json
from typing import Any

from hatang_agent.system import CommandMissing, CommandTimeout, System
from hatang_agent.system_windows import wmi_date_ms

TIMEOUT_S = 60.0
KERNEL_POWER, EVENT_LOG = 41, 6008
SAME_START_MS = 10 * 60_000
"""The two events of one start lie closer together than this."""

_TIME = "ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ')"
SCRIPT = (
    "[Console]::OutputEncoding=[Text.Encoding]::UTF8;$n='';$o='';$e=@();"
    "try{$e=@(Get-WinEvent -FilterHashtable "
    "@{LogName='System';Id=41,6008;StartTime=(Get-Date).AddDays(-30)} -ErrorAction Stop|"
    "Where-Object{'Microsoft-Windows-Kernel-Power','EventLog' -contains $_.ProviderName}|"
    f"ForEach-Object{{@{{id=$_.Id;time=$_.TimeCreated.{_TIME}}}}})}}"
    "catch{if($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*'){$n=$_.FullyQualifiedErrorId}};"
    f"try{{$o=(Get-WinEvent -LogName System -Oldest -MaxEvents 1 -ErrorAction Stop).TimeCreated.{_TIME}}}"
    "catch{$n=$_.FullyQualifiedErrorId};"
    "ConvertTo-Json -Compress -Depth 3 -InputObject @{error=$n;oldest=$o;events=$e}"
)
COMMAND = ("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", SCRIPT)

Found = tuple[str, tuple[int, ...], int]
"""Source, moments of unexpected ends, and since when it would have told them."""


def record(system: System) -> Found | str:
    """What the event log tells, or why it tells nothing."""
    try:
        output = system.run(COMMAND, TIMEOUT_S)
    except CommandMissing:
        return "PowerShell is not there"
    except CommandTimeout:
        return "the event log took too long"
    return parse(output.stdout)


def parse(text: str) -> Found | str:
    """The answer of the script."""
    try:
        found: Any = json.loads(text.lstrip("\ufeff"))
        error, oldest_ms = str(found["error"] or ""), wmi_date_ms(found["oldest"])
        events = [(int(one["id"]), wmi_date_ms(one["time"])) for one in found["events"] or []]
    except (ValueError, KeyError, TypeError):
        return f"the event log was not understood: {text.strip()[:150]!r}"
    if error or oldest_ms is None:
        return f"the event log cannot be read: {error or 'it has no oldest entry'}"[:200]
    starts = [at_ms for number, at_ms in events if number == KERNEL_POWER and at_ms is not None]
    alone = [
        at_ms
        for number, at_ms in events
        if number == EVENT_LOG
        and at_ms is not None
        and all(abs(at_ms - start_ms) > SAME_START_MS for start_ms in starts)
    ]
    return "event log", tuple(sorted([*starts, *alone])), oldest_ms
