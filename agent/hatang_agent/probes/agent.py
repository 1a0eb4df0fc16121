"""The agent itself: its memory, its processor time, what waits in its outbox, its configuration.

So that a machine that measures nothing any more is told from one that has nothing to say, and so
that the promise to be light can be checked on every machine. The figures of the outbox and the
state of the signed configuration are added by the running agent; ``hatang-agent once agent`` shows
the process alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hatang_agent.registry import Context, Field, Result
from hatang_agent.wire.report import Fact, Run, Sample

INTERVAL_S = 300
DEADLINE_S = 5
ROLES = ("pc", "probe")

FIELDS = (
    Field("agent.rss_bytes", "Bộ nhớ chương trình dùng", "Resident memory of the agent", "B"),
    Field("agent.anon_bytes", "Bộ nhớ riêng của chương trình", "Anonymous memory of the agent", "B"),
    Field("agent.cpu_seconds", "Thời gian xử lý đã dùng", "Processor time used by the agent", "s"),
    Field("agent.outbox_bytes", "Dung lượng hộp thư đi", "Bytes in the outbox", "B"),
    Field("agent.waiting_runs", "Số lần đo chờ gửi", "Runs waiting to be sealed", ""),
    Field("agent.waiting_reports", "Số báo cáo chờ gửi", "Reports waiting for their acknowledgement", ""),
    Field("agent.dropped_runs", "Số lần đo bị bỏ, chưa báo", "Runs dropped and not yet told", ""),
    Field("config.number", "Số của cấu hình đã ký", "Number of the signed configuration", fact=True),
    Field("config.state", "Tình trạng cấu hình", "Accepted or refused", fact=True),
    Field("config.reason", "Lý do từ chối", "Why it was refused", fact=True),
)

# The unit of processor time in /proc/<pid>/stat is fixed at 100 a second for programs (proc(5)).
_TICKS_A_SECOND = 100


@dataclass(frozen=True, slots=True)
class Config:
    """Nothing to set."""


@dataclass(frozen=True, slots=True)
class Own:
    """What only the running agent knows; ``config`` is (number, state, reason), None without one."""

    outbox_bytes: int
    waiting_runs: int
    waiting_reports: int
    dropped_runs: int
    config: tuple[int, str, str] | None


def measure(context: Context) -> Result:
    """Memory and processor time of this process; nothing where the system has no /proc."""
    samples = _memory(context.system.read_text("/proc/self/status") or "")
    used = _cpu_seconds(context.system.read_text("/proc/self/stat") or "")
    if used is not None:
        samples.append(Sample("agent.cpu_seconds", used, "s"))
    return Result(samples)


def with_own(run: Run, own: Own) -> Run:
    """The run with the figures of the running agent added; facts_digest is the caller's to renew."""
    samples = (
        *run.samples,
        Sample("agent.outbox_bytes", own.outbox_bytes, "B"),
        Sample("agent.waiting_runs", own.waiting_runs, ""),
        Sample("agent.waiting_reports", own.waiting_reports, ""),
        Sample("agent.dropped_runs", own.dropped_runs, ""),
    )
    facts: tuple[Fact, ...] = ()
    if own.config is not None:
        number, state, reason = own.config
        facts = (Fact("config", "signed", {"number": number, "state": state, "reason": reason}),)
    return replace(run, samples=samples, facts=facts)


def _memory(status: str) -> list[Sample]:
    names = {"VmRSS": "agent.rss_bytes", "RssAnon": "agent.anon_bytes"}
    found = []
    for line in status.splitlines():
        key, _, rest = line.partition(":")
        words = rest.split()
        if key in names and words and words[0].isdigit():
            found.append(Sample(names[key], int(words[0]) * 1024, "B"))
    return found


def _cpu_seconds(stat: str) -> float | None:
    # The name in parentheses may hold spaces and parentheses itself: fields are counted behind it.
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 13 or not (fields[11].isdigit() and fields[12].isdigit()):
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
