"""How often the machine went down unexpectedly in the last 30 days: power cut, crash, button held.

Told once a day from what the system wrote itself: the event log on Windows (Kernel-Power 41 and
EventLog 6008), wtmp or the journal on Linux (a start that no orderly end came before). `days` says how
far back that record reaches, at most 30: a count over three days is not one over thirty. Where no
record can tell, the state is `unreadable` and there is no count.
"""

from __future__ import annotations

from dataclasses import dataclass

from hatang_agent.registry import Context, Field, NoData, Result
from hatang_agent.wire.report import Fact

INTERVAL_S = 86_400
DEADLINE_S = 90
ROLES = ("pc", "probe")

SOURCES = {
    "linux": (
        "command `last -x --time-format iso reboot shutdown`",
        "command `journalctl --utc --list-boots --no-pager`",
        "command `journalctl --utc --no-pager --output=json --output-fields=_BOOT_ID UNIT=shutdown.target`",
    ),
    "windows": (
        "command `powershell.exe -NoProfile -NonInteractive -Command <SCRIPT>`, where SCRIPT stands in "
        "probes/shutdowns_windows.py: Get-WinEvent on the log System, ids 41 and 6008, their times only",
    ),
}

FIELDS = (
    Field("shutdowns.state", "Đếm được hay không đọc được", "counted or unreadable", fact=True),
    Field(
        "shutdowns.unexpected",
        "Số lần tắt đột ngột trong 30 ngày",
        "unexpected shutdowns in 30 days",
        fact=True,
    ),
    Field("shutdowns.last", "Ngày tắt đột ngột gần nhất", "day of the latest one (UTC)", fact=True),
    Field("shutdowns.days", "Số ngày mà nhật ký ghi lại được", "days that the record covers", fact=True),
    Field("shutdowns.evidence", "Nguồn hoặc lý do không đọc được", "source, or why unreadable", fact=True),
)

WINDOW_DAYS = 30
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.shutdowns]: nothing to be set."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one source tells: moments of unexpected ends, and since when it would have told them."""

    source: str
    unexpected_ms: tuple[int, ...]
    since_ms: int


def measure(context: Context) -> Result:
    """The fact ``shutdowns``. Raises NoData where there is no way to ask."""
    system = context.system
    records: list[Record] = []
    reasons: list[str] = []
    if system.platform == "linux":
        from hatang_agent.probes import shutdowns_linux

        for found in shutdowns_linux.records(system):
            if isinstance(found, str):
                reasons.append(found)
            else:
                records.append(Record(*found))
    elif system.platform == "windows":
        from hatang_agent.probes import shutdowns_windows

        told = shutdowns_windows.record(system)
        if isinstance(told, str):
            reasons.append(told)
        else:
            records.append(Record(*told))
    else:
        raise NoData("not measured on this system")
    return Result(facts=[fact_of(records, reasons, system.wall_ms())])


def fact_of(records: list[Record], reasons: list[str], now_ms: int) -> Fact:
    """The fact from the record that reaches back furthest, as far as the window."""
    if not records:
        return Fact("shutdowns", "", {"state": "unreadable", "evidence": "; ".join(reasons)[:500]})
    best = min(records, key=lambda one: max(one.since_ms, now_ms - WINDOW_DAYS * DAY_MS))
    moments = [one for one in best.unexpected_ms if now_ms - WINDOW_DAYS * DAY_MS <= one <= now_ms]
    fields: dict[str, str | int | float | bool | None] = {
        "state": "counted",
        "unexpected": len(moments),
        "days": max(0, min(WINDOW_DAYS, (now_ms - best.since_ms) // DAY_MS)),
        "evidence": best.source,
    }
    if moments:
        fields["last"] = day(max(moments))
    return Fact("shutdowns", "", fields)


def day(instant_ms: int) -> str:
    """The UTC day of an instant."""
    import time

    return time.strftime("%Y-%m-%d", time.gmtime(instant_ms / 1000))
