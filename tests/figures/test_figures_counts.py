"""Figures: what counts now, what counts in a window, states, methods, coverage and rounding."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain.figures import (
    GRACE_MS,
    Coverage,
    FigureState,
    Kind,
    Method,
    Observed,
    Window,
    coverage,
    is_fresh,
    now_figure,
    percent,
    window_figure,
)

NOW = 1_795_137_960_000
TODAY = date(2026, 11, 20)
WINDOW = Window(TODAY)
PC_MS, PROBE_MS = 300_000, 15_000


def machine(
    name: str = "a",
    *,
    age_ms: int | None = 0,
    interval_ms: int = PC_MS,
    seen: tuple[date, ...] = (),
    fact: bool | None = True,
) -> Observed:
    """A machine whose latest report is so old."""
    return Observed(name, interval_ms, None if age_ms is None else NOW - age_ms, seen, fact)


@pytest.mark.parametrize(
    ("age_ms", "interval_ms", "fresh"),
    [
        (0, PC_MS, True),
        (PC_MS + GRACE_MS, PC_MS, True),
        (PC_MS + GRACE_MS + 1, PC_MS, False),
        (PROBE_MS + 90_000, PROBE_MS, True),
        (PROBE_MS + 90_001, PROBE_MS, False),
        (-5_000, PC_MS, True),
        (None, PC_MS, False),
    ],
)
def test_fresh_is_no_older_than_interval_and_90_seconds(
    age_ms: int | None, interval_ms: int, fresh: bool
) -> None:
    """The bound itself is fresh, one millisecond more is not."""
    report_ms = None if age_ms is None else NOW - age_ms
    assert is_fresh(report_ms, interval_ms, NOW) is fresh


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        (13, 14, "92.9"),
        (21, 22, "95.5"),
        (1, 8, "12.5"),
        (1, 16, "6.3"),
        (1, 2000, "0.1"),
        (1, 2001, "0.0"),
        (0, 7, "0.0"),
        (7, 7, "100.0"),
        (3, 2, "150.0"),
    ],
)
def test_percent_is_rounded_half_up(a: int, b: int, text: str) -> None:
    """6.25 is 6.3 and 0.05 is 0.1, as people round."""
    assert str(percent(a, b)) == text


def test_nothing_out_of_nothing_has_no_percent() -> None:
    """A ratio without a denominator is not zero."""
    assert percent(0, 0) is None
    assert Coverage(0, 0).percent is None


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_percent_agrees_with_decimal_arithmetic(a: int, b: int) -> None:
    """The whole-number rule is the same as rounding the exact quotient."""
    assert percent(a, b) == (Decimal(100 * a) / b).quantize(Decimal("0.1"), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("machines", "declared", "a", "state", "method"),
    [
        ([], None, None, FigureState.NOT_DECLARED, Method.MEASURED),
        ([], 14, None, FigureState.NOT_MEASURED, Method.DECLARED),
        ([], 0, None, FigureState.NOT_APPLICABLE, Method.DECLARED),
        ([machine()], None, 1, FigureState.NOT_DECLARED, Method.MEASURED),
        ([machine()], 14, 1, FigureState.YES, Method.BOTH),
        ([machine()], 0, 1, FigureState.YES, Method.BOTH),
        ([machine(age_ms=10**9)], 14, 0, FigureState.NO, Method.BOTH),
        ([machine(age_ms=None)], 14, 0, FigureState.NO, Method.BOTH),
        ([machine(fact=None)], 14, None, FigureState.NOT_MEASURED, Method.DECLARED),
        ([machine(fact=False)], 14, 0, FigureState.NO, Method.BOTH),
        ([machine(fact=None), machine("b", fact=False)], 14, 0, FigureState.NO, Method.BOTH),
        ([machine(), machine("b"), machine("c", age_ms=10**9)], 14, 2, FigureState.YES, Method.BOTH),
        ([machine(), machine()], 14, 1, FigureState.YES, Method.BOTH),
    ],
)
def test_now_figures(
    machines: list[Observed], declared: int | None, a: int | None, state: FigureState, method: Method
) -> None:
    """A blank is never zero, zero is never a blank, and one computer enrolled twice counts once."""
    found = now_figure(machines, NOW, declared)
    assert (found.kind, found.at_ms, found.window) == (Kind.NOW, NOW, None)
    assert (found.a, found.b, found.state, found.method) == (a, declared, state, method)


def days(*before: int) -> tuple[date, ...]:
    """Days so long before the reporting date."""
    return tuple(TODAY - timedelta(days=one) for one in before)


@pytest.mark.parametrize(
    ("seen", "a"), [(days(0), 1), (days(29), 1), (days(30), 0), (days(-1), 0), (days(30, 12, 45), 1), ((), 0)]
)
def test_a_machine_counts_when_it_was_seen_in_the_thirty_days(seen: tuple[date, ...], a: int) -> None:
    """The window ends with the reporting date and has thirty days; whether it is fresh is no matter."""
    assert window_figure([machine(age_ms=None, seen=seen)], WINDOW, 1).a == a


def test_the_window_is_told() -> None:
    """A figure says which days it is about, and is not a now-figure."""
    found = window_figure([machine(seen=days(3))], WINDOW, 2)
    assert (found.kind, found.at_ms, found.window) == (Kind.WINDOW, None, WINDOW)
    assert (WINDOW.first, WINDOW.last) == (date(2026, 10, 22), TODAY)
    assert str(found.percent) == "50.0"
    with pytest.raises(ValueError, match="at least one"):
        Window(TODAY, 0)


def test_coverage_counts_usable_facts_of_the_window_only() -> None:
    """Machines without a usable fact or not seen lower it, a fact that says no does not."""
    machines = [
        machine("a", seen=days(1)),
        machine("b", seen=days(1), fact=False),
        machine("c", seen=days(1), fact=None),
        machine("d", seen=days(40)),
    ]
    found = window_figure(machines, WINDOW, 5)
    assert (found.a, found.coverage) == (1, Coverage(2, 5))


def test_machines_that_nobody_declared_do_not_raise_the_coverage() -> None:
    """Three seen out of two declared cover two; the figure itself shows that there are more."""
    found = window_figure([machine(name, seen=days(1)) for name in "abc"], WINDOW, 2)
    assert (found.a, found.b, found.coverage) == (3, 2, Coverage(2, 2))
    assert coverage(3, None) is None


OBSERVED = st.builds(
    Observed,
    st.sampled_from("abcdef"),
    st.sampled_from([PC_MS, PROBE_MS]),
    st.one_of(st.none(), st.integers(NOW - 10**6, NOW + 10**5)),
    st.lists(st.integers(-5, 60).map(lambda n: TODAY - timedelta(days=n)), max_size=4).map(tuple),
    st.sampled_from([True, False, None]),
)


@given(st.lists(OBSERVED, max_size=12), st.one_of(st.none(), st.integers(0, 8)))
def test_any_machines_give_a_sound_figure(machines: list[Observed], declared: int | None) -> None:
    """Counts are bounded by the computers there are, coverage by the declared, order is no matter."""
    now = now_figure(machines, NOW, declared)
    window = window_figure(machines, WINDOW, declared)
    assert now_figure(machines[::-1], NOW, declared) == now
    assert window_figure(machines[::-1], WINDOW, declared) == window
    for found in (now, window):
        assert (found.coverage is None) == (declared is None)
        if found.coverage:
            assert 0 <= found.coverage.a <= found.coverage.b
        if found.a is not None:
            assert 0 <= found.a <= len({one.machine for one in machines})
        assert (found.state is FigureState.NOT_DECLARED) == (declared is None)
        assert (found.state is FigureState.YES) == (declared is not None and bool(found.a))
