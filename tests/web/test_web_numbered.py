"""Numbered things: whatever happens, who asks since a number catches up."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.web.numbered import Numbered


@dataclass(frozen=True)
class Thing:
    """Something on a page."""

    sort: str


STATES = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.builds(Thing, st.sampled_from("123"))), max_size=8
)


@given(STATES, st.integers(0, 8))
def test_a_page_that_asks_since_any_number_has_everything(
    states: list[dict[str, Thing]], asked_at: int
) -> None:
    """What it had, with what changed put in and what went taken out, is what there is."""
    kept = Numbered[Thing]()
    had: dict[str, Thing] = {}
    number = since = 0
    for place, state in enumerate(states):
        if place == asked_at:
            had, since = dict(states[place - 1]) if place else {}, number
        changed = kept.put(state, number + 1)
        assert changed == (state != (states[place - 1] if place else {}))
        number += changed
    present = states[-1] if states else {}
    if asked_at >= len(states):
        had, since = dict(present), number
    news = kept.since(since)
    assert [one.sort for one in news] == sorted(one.sort for one in news)
    for key in kept.gone_since(since):
        had.pop(key, None)
    caught_up = had | {key: one for key, one in present.items() if one in news}
    assert caught_up == present
    assert sorted(one.sort for one in kept.each()) == [one.sort for one in kept.all()]
    assert all(kept.get(key) == one for key, one in present.items())
    assert kept.get("nothing") is None
