"""The days on which machines were seen, as the ledger projection keeps them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from hatang_agent.wire.report import RunError, Status
from hatang_collector.journal.segments import Entry
from hatang_collector.ledger import seen
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.projection import LedgerProjection
from hatang_collector.ledger.tables import SEEN_DAYS
from ledger.fake_agent import ARRIVED, BOOT_AT, FakeAgent
from ledger.projecting import apply

A, B = "a" * 16, "b" * 16
DAY_MS = 86_400_000
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)


def _at(text: str) -> int:
    """Milliseconds after the boot of a moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000) - BOOT_AT


def _reported(*moments: str, agent: str = A, probe: str = "usage", epoch: str = "1" * 16) -> Entry:
    one = FakeAgent(agent, epoch)
    for moment in moments:
        one.run(_at(moment), probe)
    return one.seal(_at(moments[-1]), arrived_ms=BOOT_AT + _at(moments[-1]) + 5_000)


def _rows(ledger: Ledger) -> list[tuple[str, str, int, int]]:
    with ledger.read() as c:
        return sorted((*row,) for row in c.execute(sa.select(SEEN_DAYS)))


def test_a_day_is_a_day_of_vietnam(ledger: Ledger) -> None:
    """Midnight is at 17:00 UTC; months and years end there too."""
    moments = ("2026-02-28T16:59:59", "2026-02-28T17:00:00", "2026-12-31T17:00:00", "2027-03-31T10:00:00")
    apply(ledger, [_reported(*moments)])

    with ledger.read() as c:
        assert seen.seen(c, first=FIRST, last=LAST) == {
            A: {date(2026, 2, 28), date(2026, 3, 1), date(2027, 1, 1), date(2027, 3, 31)}
        }
        assert seen.last_seen(c) == {A: date(2027, 3, 31)}


def test_a_span_of_days_is_asked_with_both_its_ends(ledger: Ledger) -> None:
    """Days before and after do not count; a machine without a day in it is missing."""
    apply(ledger, [_reported(*(f"2026-03-{day:02}T03:00:00" for day in (1, 2, 9, 10, 11, 31)))])
    with ledger.read() as c:
        assert seen.seen(c, first=date(2026, 3, 2), last=date(2026, 3, 10)) == {
            A: {date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 10)}
        }
        assert seen.seen(c, first=date(2026, 4, 1), last=LAST) == {}


def test_days_are_kept_for_each_probe_and_for_any(ledger: Ledger) -> None:
    """A failed run shows that the machine was at work, but its probe measured nothing."""
    one = FakeAgent(A)
    one.run(_at("2026-03-02T03:00:00"))
    one.run(_at("2026-03-03T03:00:00"), "hardware", status=Status.FAILED, error=RunError("x"))
    entry = one.seal(_at("2026-03-03T03:00:00"), arrived_ms=BOOT_AT + _at("2026-03-03T04:00:00"))
    apply(ledger, [entry, _reported("2026-03-05T03:00:00", agent=B)])

    second, third, fifth = (date(2026, 3, day) for day in (2, 3, 5))
    with ledger.read() as c:
        assert seen.seen(c, first=FIRST, last=LAST) == {A: {second, third}, B: {fifth}}
        assert seen.seen(c, first=FIRST, last=LAST, probe="usage") == {A: {second}, B: {fifth}}
        assert seen.seen(c, first=FIRST, last=LAST, agents=[B, "c" * 16]) == {B: {fifth}}
        assert seen.seen(c, first=FIRST, last=LAST, agents=[]) == {}
        assert seen.last_seen(c, probe="hardware") == {}
        assert seen.last_seen(c, agents=[A]) == {A: third}


def test_a_clock_of_tomorrow_is_not_believed(ledger: Ledger) -> None:
    """A boot never heard live counts by its own clock, but a run is not later than its arrival."""
    one = FakeAgent(A, certain=False)
    one.run(_at("2031-01-01T00:00:00"))
    apply(ledger, [one.seal(0, arrived_ms=BOOT_AT + _at("2026-03-02T03:00:00"))])

    with ledger.read() as c:
        assert seen.last_seen(c) == {A: date(2026, 3, 2)}


@pytest.mark.parametrize("at_ms", [-(10**15), 10**15])
def test_a_moment_that_is_no_day_is_left_out(ledger: Ledger, at_ms: int) -> None:
    """The report is taken in all the same."""
    one = FakeAgent(A)
    one.run(at_ms)
    one.run(_at("2026-03-02T03:00:00"))
    apply(ledger, [one.seal(0)])

    with ledger.read() as c:
        assert seen.seen(c, first=FIRST, last=LAST) == {A: {date(2026, 3, 2)}}


def test_any_order_and_any_batches_give_the_same_rows(ledger: Ledger) -> None:
    """Late and repeated reports too; and a replay keeps the days that the journal no longer holds."""
    dice = random.Random(5)
    entries = []
    for number in range(60):
        start = date(2026, 1, 1) + timedelta(days=dice.randrange(120))
        epoch = f"{number:016x}"
        entries.append(_reported(f"{start}T05:00:00", agent=dice.choice([A, B]), epoch=epoch))
    apply(ledger, entries, batch=7)
    before = _rows(ledger)
    dice.shuffle(entries)
    projection = LedgerProjection(ledger)
    projection.reset()
    kept = _rows(ledger)
    with ledger.write() as c:
        c.execute(sa.delete(SEEN_DAYS))
    apply(ledger, [*entries, *entries[:10]], batch=3)

    assert kept == before
    assert len(before) > 8
    assert _rows(ledger) == before


def test_what_was_not_committed_is_written_again(ledger: Ledger) -> None:
    """A batch that fails behind the days leaves no wrong memory of them."""
    entries = [_reported("2026-03-02T03:00:00")]
    projection = LedgerProjection(ledger)
    with (
        mock.patch("hatang_collector.ledger.cursors.put", side_effect=RuntimeError),
        pytest.raises(RuntimeError),
    ):
        projection.apply("pc", entries, 1)
    assert _rows(ledger) == []
    projection.apply("pc", entries, 1)

    assert [row[:3] for row in _rows(ledger)] == [(A, "", 202603), (A, "usage", 202603)]


def test_a_day_that_is_known_costs_no_statement(ledger: Ledger) -> None:
    """The day is written with the first report of the day and with no other."""
    projection = LedgerProjection(ledger)
    one = FakeAgent(A)
    counted = []
    for minute in range(4):
        one.run(_at(f"2026-03-02T03:0{minute}:00"))
        entry = one.seal(_at(f"2026-03-02T03:0{minute}:00"), arrived_ms=ARRIVED)
        counted.append(_writes(partial(projection.apply, "pc", [entry], minute + 1)))

    assert counted == [1, 0, 0, 0]


def test_a_full_memory_forgets_and_goes_on(ledger: Ledger) -> None:
    """Its size is bounded; the rows do not depend on it."""
    entries = [_reported(f"2026-0{month}-02T03:00:00", epoch=f"{month:016x}") for month in range(1, 7)]
    projection = LedgerProjection(ledger)
    with mock.patch.object(seen, "MAX_REMEMBERED", 3):
        for number, entry in enumerate([*entries, *entries], 1):
            projection.apply("pc", [entry], number)

    assert [row[2] for row in _rows(ledger)] == [*range(202601, 202607)] * 2


def _writes(act: Callable[[], object]) -> int:
    """How many statements on the days an act executes."""
    found: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "seen_days" in statement:
            found.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return len(found)
