"""Due times: soon but spread at first, without drift, without a burst after sleep."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.schedule import Schedule


def fixed(*numbers: float) -> Callable[[], float]:
    """A source of these numbers."""
    rest = list(numbers)
    return lambda: rest.pop(0)


def test_the_first_runs_are_soon_and_spread() -> None:
    """Within the spread, at different instants, never beyond the probe's own interval."""
    schedule = Schedule({"a": 60, "b": 86_400, "c": 1}, 1_000, fixed(0.0, 0.5, 0.9), first_spread_s=4)
    assert schedule.due(1_000) == ["a"]
    assert schedule.next_ms() == 1_900
    assert schedule.due(3_000) == ["c", "b"]


def test_no_drift() -> None:
    """A run that starts late does not move the beat."""
    schedule = Schedule({"a": 60}, 0, fixed(0.0))
    assert schedule.due(30) == ["a"]
    assert schedule.next_ms() == 60_000
    assert schedule.due(60_999) == ["a"]
    assert schedule.next_ms() == 120_000


def test_one_run_after_sleep() -> None:
    """Nine hours asleep are caught up by one run per probe, then the old beat goes on."""
    schedule = Schedule({"a": 60, "b": 3_600}, 0, fixed(0.0, 0.0))
    assert schedule.due(0) == ["a", "b"]
    assert schedule.due(32_400_500) == ["a", "b"]
    assert schedule.due(32_400_501) == []
    assert schedule.next_ms() == 32_460_000


def test_run_now() -> None:
    """A named probe is due at once, and an unknown name is told."""
    schedule = Schedule({"a": 60, "b": 60}, 0, fixed(0.0, 0.0))
    schedule.due(0)
    assert schedule.run_now("b", 5_000)
    assert schedule.due(5_000) == ["b"]
    assert not schedule.run_now("x", 5_000)
    assert schedule.due(60_000) == ["a"]


def test_a_changed_interval_moves_only_its_probe() -> None:
    """New intervals start soon; probes that kept theirs keep their beat; others are dropped."""
    schedule = Schedule({"a": 60, "b": 60, "c": 60}, 0, fixed(0.0, 0.0, 0.0, 0.5))
    schedule.due(0)
    schedule.change({"a": 60, "b": 10}, 20_000)
    assert schedule.due(21_500) == ["b"]
    assert schedule.due(60_000) == ["b", "a"]


def test_nothing_scheduled() -> None:
    """Without probes there is no next run."""
    schedule = Schedule({}, 0, fixed())
    assert schedule.next_ms() is None
    assert schedule.due(10**12) == []


@given(
    st.dictionaries(st.sampled_from("abcd"), st.floats(0.5, 10_000), min_size=1),
    st.lists(st.integers(0, 10_000_000), min_size=1, max_size=30),
    st.floats(0, 0.999),
)
def test_never_twice_within_one_beat(intervals: dict[str, float], steps: list[int], random: float) -> None:
    """However time goes, a probe runs at most once per call and no more often than its interval."""
    schedule = Schedule(intervals, 0, lambda: random)
    now, counts = 0, dict.fromkeys(intervals, 0)
    for step in steps:
        now += step
        names = schedule.due(now)
        assert len(names) == len(set(names))
        for name in names:
            counts[name] += 1
        following = schedule.next_ms()
        assert following is not None
        assert following > now
    for name, interval_s in intervals.items():
        assert counts[name] <= now / (interval_s * 1000 - 1) + 1
