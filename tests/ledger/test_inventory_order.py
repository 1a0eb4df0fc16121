"""Which set of facts is the current one, however late and mixed up its runs arrive."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from hatang_collector.domain.inventory import Effect, Inventory, Missing, Seen, full, unchanged

EPOCH, OTHER = "1" * 16, "2" * 16


@dataclass(frozen=True)
class Told:
    """One run: the digest of its facts, and whether they came along."""

    seen: Seen
    digest: str
    content: bool


def after(runs: list[Told]) -> Inventory:
    """What is held after these runs arrived in this order; sets that came are remembered."""
    held, came = Inventory(), dict[str, str]()
    for run in runs:
        if run.content:
            came.setdefault(run.digest, run.seen.run_id)
            held, _ = full(held, run.digest, run.seen)
        else:
            held, _ = unchanged(held, run.digest, run.seen, came.get(run.digest))
    return held


@st.composite
def told(draw: st.DrawFn, digests: str, *, without_content: str) -> list[Told]:
    """Runs of one probe, numbered in the order they were taken."""
    runs = []
    for number in range(1, draw(st.integers(1, 10)) + 1):
        digest = draw(st.sampled_from(digests))
        content = digest not in without_content or draw(st.booleans())
        runs.append(Told(Seen(f"{EPOCH}-{number}", number * 100, certain=True), digest, content))
    return runs


@settings(deadline=None)
@given(told("abc", without_content="abc"), st.randoms(use_true_random=False))
def test_the_newest_run_with_content_wins_in_any_order(runs: list[Told], order: random.Random) -> None:
    """Late runs never overwrite; what is in force was taken no earlier than any run that came in full."""
    newest = [run for run in runs if run.content][-1:]
    order.shuffle(runs)
    held = after(runs)

    for run in newest:
        assert held.current is not None
        assert not run.seen.newer_than(held.current.seen)
        if held.current.seen == run.seen:
            assert held.current.digest == run.digest


@settings(deadline=None)
@given(told("abc", without_content="a"), st.randoms(use_true_random=False))
def test_order_does_not_matter_when_one_set_is_left_out(runs: list[Told], order: random.Random) -> None:
    """As agents do it: only the set that was acknowledged last is left out."""
    expected = after(runs)
    order.shuffle(runs)
    held = after(runs)

    assert (held.current and (held.current.digest, held.current.seen)) == (
        expected.current and (expected.current.digest, expected.current.seen)
    )
    assert held.missing == expected.missing


def test_within_a_process_the_number_decides_whatever_the_clock() -> None:
    """The clock was set back between two runs: the later number is the later run."""
    first, second = Seen(f"{EPOCH}-1", 9_000, True), Seen(f"{EPOCH}-2", 1_000, True)

    assert second.newer_than(first)
    assert not first.newer_than(second)
    assert not first.newer_than(first)
    assert Seen(f"{OTHER}-1", 9_001, True).newer_than(first)


def test_a_missing_set_is_told_until_a_newer_one_is_known() -> None:
    """MISSING once; an older set does not settle it, a newer one does."""
    held, effect = unchanged(Inventory(), "d", Seen(f"{EPOCH}-5", 500, True), None)
    assert (effect, held.missing) == (Effect.MISSING, Missing("d", Seen(f"{EPOCH}-5", 500, True)))

    held, effect = full(held, "old", Seen(f"{EPOCH}-4", 400, True))
    assert effect is Effect.REPLACED
    assert held.missing is not None

    held, effect = full(held, "new", Seen(f"{EPOCH}-6", 600, True))
    assert effect is Effect.REPLACED
    assert held.missing is None
