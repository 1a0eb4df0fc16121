"""Sets of run numbers, clock segments, and when a run happened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.wire.report import Clock, Run, Status
from hatang_collector.domain.clocksync import MAX_BOOTS, BootClock, Clocks, Segment, observe
from hatang_collector.domain.ranges import Ranges
from hatang_collector.domain.timeline import run_utc_ms


@given(st.lists(st.integers(0, 60)))
def test_ranges_are_a_set(numbers: list[int]) -> None:
    """Whatever the order and the repetitions, it holds exactly the numbers added, in separate intervals."""
    ranges = Ranges()
    for number in numbers:
        grown = ranges.add(number)
        assert (grown is ranges) == (number in ranges)
        ranges = grown
    assert set(ranges) == set(numbers)
    assert ranges.count() == len(set(numbers))
    assert all(n in ranges for n in numbers)
    assert not any(n in ranges for n in range(61) if n not in numbers)
    assert all(low <= high for low, high in ranges.intervals)
    assert all(one[1] + 1 < two[0] for one, two in zip(ranges.intervals, ranges.intervals[1:], strict=False))
    assert Ranges.from_text(ranges.to_text()) == ranges
    assert Ranges().add_all(numbers) == ranges


@pytest.mark.parametrize("text", ["x", "1-", "-3", "3-1", "1,1", "1,2", "5,1", "1-3,2-5", "1,,2", " 1", "+1"])
def test_ranges_refuse_other_text(text: str) -> None:
    """Text that to_text would not have written is an error, not a guess."""
    with pytest.raises(ValueError, match=r"run numbers|invalid literal"):
        Ranges.from_text(text)


def test_ranges_refuse_negative_numbers() -> None:
    """Run numbers are counted from 1."""
    with pytest.raises(ValueError, match="negative"):
        Ranges().add(-1)


def run_at(wall_ms: int, boot_ms: int, boot_id: str) -> Run:
    """A run at these times."""
    return Run(f"{'a' * 16}-1", "usage", Clock(wall_ms, boot_ms, boot_id), 1, Status.OK)


def test_time_of_a_run() -> None:
    """Boot time plus offset, certain; without an offset the agent's own clock, uncertain."""
    assert run_utc_ms(run_at(5, 1_000, "b"), {"b": 1_700_000_000_000}) == (1_700_000_001_000, True)
    assert run_utc_ms(run_at(5, 1_000, "other"), {"b": 1_700_000_000_000}) == (5, False)


def watch(*heard: tuple[int, int]) -> tuple[BootClock, list[Segment]]:
    """The clock after (arrival, boot time) pairs, and the segments they began."""
    clock, begun = BootClock(), []
    for arrived_ms, boot_ms in heard:
        clock, segment = observe(clock, arrived_ms, boot_ms)
        begun += [segment] if segment else []
    return clock, begun


def test_the_first_live_message_begins_a_segment() -> None:
    """A new boot has an offset as soon as it was heard once."""
    clock, begun = watch((10_100, 100))
    assert begun == [Segment(100, 10_000)]
    assert clock.offset_at(0) == clock.offset_at(99_999) == 10_000
    assert BootClock().offset_at(0) is None


def test_slow_messages_do_not_move_the_clock() -> None:
    """A line that takes seconds now and then is no changed clock."""
    _, begun = watch(*[(10_000 + n * 1000 + (4_000 if n % 3 else 0), n * 1000) for n in range(60)])
    assert begun == [Segment(0, 10_000)]


def test_a_lower_offset_is_believed_at_once() -> None:
    """No message arrives before it was sent: a first estimate that was too high is corrected."""
    _, begun = watch((13_000, 0), (11_000, 1_000))
    assert begun == [Segment(0, 13_000), Segment(1_000, 10_000)]


def test_a_moved_clock_begins_a_segment_after_several_messages() -> None:
    """When all recent messages say so, the offset moves up, and what was told before stays told."""
    heard = [(10_000 + n * 1000, n * 1000) for n in range(10)]
    heard += [(10_800 + n * 1000, n * 1000) for n in range(10, 30)]
    clock, begun = watch(*heard)
    assert [segment.offset_ms for segment in begun] == [10_000, 10_800]
    assert clock.offset_at(5_000) == 10_000
    assert clock.offset_at(29_000) == 10_800
    assert 14_000 <= begun[1].from_boot_ms <= 20_000


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=60))
def test_segments_only_grow(heard: list[tuple[int, int]]) -> None:
    """Whatever arrives, segments told stay as they were and ascend."""
    clock = BootClock()
    for arrived_ms, boot_ms in heard:
        before = clock.segments
        clock, segment = observe(clock, arrived_ms, boot_ms)
        assert clock.segments == (*before, *([segment] if segment else []))
        starts = [one.from_boot_ms for one in clock.segments]
        assert starts == sorted(set(starts))


def test_clocks_of_agents_are_bounded_and_restored() -> None:
    """An agent that invents boots keeps the latest; restored segments serve as if they were heard."""
    clocks = Clocks()
    for number in range(MAX_BOOTS + 5):
        assert clocks.observe("a", f"boot{number}", 1_000, 0) == Segment(0, 1_000)
    assert clocks.in_force("a", [("boot0", 0), (f"boot{MAX_BOOTS}", 0)]) == {f"boot{MAX_BOOTS}": 1_000}
    again = Clocks()
    again.restore("a", "b", Segment(0, 500))
    again.restore("a", "b", Segment(1_000, 2_000))
    again.restore("a", "b", Segment(1_000, 9_000))
    assert again.in_force("a", [("b", 10), ("x", 1)]) == {"b": 500}
    assert again.in_force("a", [("b", 10), ("b", 5_000)]) == {"b": 2_000}
    assert again.observe("a", "b", 12_100, 10_000) is None
    assert again.in_force("nobody", [("b", 1)]) == {}
