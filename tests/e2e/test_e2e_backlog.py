"""A long backlog never hides what happens now."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from e2e.e2e_books import journaled_digests
from e2e.e2e_figures import Figure
from e2e.e2e_witness import Witnessed
from hatang_agent.identity import Credential, RunIds
from hatang_agent.outbox import FILE_NAME, Limits, Order, Origin, Outbox
from hatang_agent.sending import BACKLOG_BYTES_PER_S
from hatang_agent.system import LocalSystem
from hatang_agent.wire.report import Clock, Run, Sample, Status
from support.stack import Stack, now_ms
from support.wait import until

REPORTS = 10_000
SEEN_S = 5.0
EPOCH = "00000000000000aa"
MINUTE_MS = 60_000
RARELY = """
[schedule]
sample_s = 1
first_spread_s = 0.3
[reporting]
report_s = 300
beat_s = 5
[probes.agent]
interval_s = 300
[probes.witness]
enabled = false
"""
"""Reports every five minutes as in an office: only a change of state goes out earlier."""


def fill(state: Path, credential: Credential) -> dict[str, int]:
    """Seal a week of small reports into the outbox of a state folder; sizes by digest."""
    system = LocalSystem()
    origin = Origin(credential.agent, EPOCH, credential.role, "0.1.0")
    outbox = Outbox(state, origin, Limits(20_000_000, 64 * 1024), system.wall_ms)
    ids = RunIds(EPOCH)
    sizes = {}
    start_ms = now_ms() - REPORTS * MINUTE_MS
    for number in range(REPORTS):
        then = Clock(start_ms + number * MINUTE_MS, number * MINUTE_MS, "a-boot-of-last-week")
        outbox.commit(
            Run(ids(), "usage", then, 3, Status.OK, (Sample("usage.cpu_percent", number % 100, "%"),))
        )
        sealed = outbox.seal(then, Order.OLDEST)
        assert sealed is not None
        sizes[sealed.digest] = sealed.size
    outbox.close()
    return sizes


def still_there(state: Path) -> set[str]:
    """Digests of the reports in an outbox nobody has open."""
    database = sqlite3.connect(state / FILE_NAME)
    try:
        return {digest for (digest,) in database.execute("SELECT digest FROM reports")}
    finally:
        database.close()


def test_a_change_is_seen_behind_ten_thousand_reports(stack: Stack, figure: Figure) -> None:
    """With 10,000 reports waiting a change of state is seen within 5 s; the backlog keeps to its rate."""
    agent = Witnessed(stack, "backlog", 1)
    identity = agent.enrol()
    sizes = fill(agent.state, stack.credential(agent.state))
    assert agent.waiting() == (REPORTS, 0)
    door = agent.outside / "door"

    def shown(state: str) -> bool:
        facts = stack.api(f"/api/v1/machines/{identity}")["facts"]
        return any(fact["kind"] == "door" and fact["fields"]["state"] == state for fact in facts)

    def live(state: float) -> bool:
        values = stack.api(f"/api/v1/machines/{identity}")["values"]
        return any(one["measurement"] == "door" and one["value"] == state for one in values)

    def online() -> bool:
        found: bool = stack.api(f"/api/v1/machines/{identity}")["online"].get("main", False)
        return found

    agent.start("capped", config_text=RARELY)
    until(online, 20, "the agent is connected")
    first = _seconds(lambda: live(0.0), "the state after connecting")
    figure("seconds from connect to the state of now before 10,000 waiting reports", first)
    until(lambda: stack.receipts(identity).reports > 300, 20, "the backlog flows")

    began, before = time.monotonic(), stack.receipts(identity).reports
    door.write_text("open", encoding="utf-8")
    changed = _seconds(lambda: live(1.0), "the change in the live state")
    figure("seconds from a change to the live state, inside a flowing backlog", changed)
    _seconds(lambda: shown("open"), "the change among the facts")
    door.write_text("closed", encoding="utf-8")
    _seconds(lambda: live(0.0), "the change back")

    span = time.monotonic() - began
    drained = stack.receipts(identity).reports - before
    mean = sum(sizes.values()) / len(sizes)
    figure("backlog reports drained a second meanwhile", drained / span)
    assert max(first, changed) <= SEEN_S
    assert drained > 0, "the backlog goes on behind it"
    assert drained * mean <= (span + 1.5) * BACKLOG_BYTES_PER_S, "no faster than its rate"

    agent.kill()
    stack.collector.stop()
    with stack.opened() as data:
        journaled = journaled_digests(data, identity)
    assert set(sizes) - journaled - still_there(agent.state) == set(), "lost"
    oldest = list(sizes)[: len(journaled & set(sizes)) - 20]
    assert set(oldest) <= journaled, "the backlog goes oldest first"


def _seconds(condition: Callable[[], bool], what: str) -> float:
    began = time.monotonic()
    until(condition, 2 * SEEN_S, what)
    return time.monotonic() - began
