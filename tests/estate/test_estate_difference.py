"""Differences: what was told is what changed, and applied it gives the same."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given

from hatang_collector.domain import edits
from hatang_collector.domain.difference import Difference, Kind, apply, difference, row_of, texts_of
from hatang_collector.domain.estate import Estate, Link, LinkKind, Site, Succession, SuccessionKind
from support.communes import nam_dong, province
from support.estates import ROWS, estates

D1 = date(2020, 1, 1)


def test_a_new_version_is_one_change_and_one_row_more() -> None:
    """The old version got an end; the new one is told with all its fields."""
    before = Estate(sites=(Site("s", "old"),))
    found = difference(before, edits.put(before, Site("s", "new", valid_from=D1)))

    assert found == [
        Difference("sites", ("s", "1900-01-01"), Kind.CHANGED, (("valid_to", None, "2020-01-01"),)),
        Difference(
            "sites",
            ("s", "2020-01-01"),
            Kind.ADDED,
            (
                ("code", None, "s"),
                ("name", None, "new"),
                ("address", None, ""),
                ("hours", None, ""),
                ("valid_from", None, "2020-01-01"),
                ("valid_to", None, None),
            ),
        ),
    ]


def test_what_went_is_told_with_what_it_was() -> None:
    """Undated rows have their key alone."""
    before = Estate(successions=(Succession("a", "b", D1, SuccessionKind.MERGE, "NQ 1"),))
    (found,) = difference(before, Estate())

    assert (found.noun, found.key, found.kind) == ("successions", ("a", "b", "2020-01-01"), Kind.REMOVED)
    assert ("document", "NQ 1", None) in found.fields


def test_numbers_and_switches_are_texts() -> None:
    """As they are kept in the audit log."""
    link = Link("l", "s", LinkKind.LTE, down_mbps=12.5, metered=True)
    texts = texts_of(link)

    assert (texts["kind"], texts["down_mbps"], texts["up_mbps"], texts["metered"]) == (
        "lte",
        "12.5",
        None,
        "true",
    )
    assert row_of(Link, texts) == link


def test_the_order_of_rows_is_no_difference() -> None:
    """A database may give them in any."""
    one, other = Site("s", "s"), Site("t", "t")

    assert difference(Estate(sites=(one, other)), Estate(sites=(other, one))) == []


@given(estates(), estates())
def test_applied_to_before_it_gives_after(before: Estate, after: Estate) -> None:
    """Whatever changed, nothing is left to change."""
    found = difference(before, after)

    assert difference(apply(before, found), after) == []
    assert (found == []) == (difference(after, before) == [])


@given(ROWS)
def test_texts_can_be_read_back(row: edits.Row) -> None:
    """Every field of every row."""
    assert row_of(type(row), texts_of(row)) == row


def test_from_nothing_to_the_communes() -> None:
    """All of Nam Đông as one difference."""
    found = difference(Estate(), nam_dong())

    assert {one.kind for one in found} == {Kind.ADDED}
    assert difference(apply(Estate(), found), nam_dong()) == []


def test_a_difference_of_something_else_is_refused() -> None:
    """Somebody was faster: nothing is written over what they changed."""
    before = Estate(sites=(Site("s", "old"),))
    found = difference(before, Estate(sites=(Site("s", "new"),)))

    for meanwhile in (Estate(sites=(Site("s", "theirs"),)), Estate()):
        with pytest.raises(ValueError, match="sites s 1900-01-01 is not as the difference says"):
            apply(meanwhile, found)


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        ({"down_mbps": "fast"}, "down_mbps cannot be 'fast'"),
        ({"metered": "yes"}, "metered cannot be 'yes'"),
        ({"kind": "radio"}, "kind cannot be 'radio'"),
        ({"valid_from": "1/1/2020"}, "valid_from cannot be '1/1/2020'"),
        ({"site": None}, "site has no value"),
    ],
)
def test_a_text_that_cannot_be_read_is_named(texts: dict[str, str | None], match: str) -> None:
    """The field, the text and why."""
    link = texts_of(Link("l", "s", LinkKind.LTE))

    with pytest.raises(ValueError, match=match):
        row_of(Link, {**link, **texts})


def test_of_ten_thousand_rows_one_changed() -> None:
    """The difference of a big estate is that one row."""
    before = province(100, 100)
    after = edits.put(before, Site("TS-98001", "renamed"))

    assert [(one.noun, one.key[0]) for one in difference(before, after)] == [("sites", "TS-98001")]
