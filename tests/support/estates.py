"""Hypothesis strategies for estates: rows that are believable one by one, histories that need not be."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

from hatang_collector.domain import edits
from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    AssetState,
    Estate,
    Link,
    LinkKind,
    Site,
    StaffCount,
    StaffGroup,
    Succession,
    SuccessionKind,
    Unit,
)

FIRST = date(2020, 1, 1)
DAYS = st.integers(0, 11).map(lambda month: FIRST + timedelta(days=30 * month))
"""Twelve days are enough to meet: what differs by order only is seen."""

STARTS = st.one_of(st.just(BEGINNING), DAYS)
ENDS = st.one_of(st.none(), DAYS)
CODES = st.sampled_from(["a", "b", "c", "d", "e"])
GROUPS = st.sampled_from(["cbcc", "ban_chuyen_trach"])
NAMES = st.sampled_from(["Hương Phú", "Thượng Lộ", "Hương Hữu"])

UNITS = st.builds(
    Unit, code=CODES, name=NAMES, parent=st.one_of(st.just(""), CODES), valid_from=STARTS, valid_to=ENDS
)
SUCCESSIONS = st.builds(Succession, CODES, CODES, DAYS, st.sampled_from(SuccessionKind))
SITES = st.builds(Site, code=CODES, name=NAMES, valid_from=STARTS, valid_to=ENDS)
LINKS = st.builds(
    Link,
    code=CODES,
    site=CODES,
    kind=st.sampled_from(LinkKind),
    down_mbps=st.one_of(st.none(), st.floats(0, 1000)),
    metered=st.booleans(),
    valid_from=STARTS,
    valid_to=ENDS,
)
STAFF_COUNTS = st.builds(StaffCount, CODES, GROUPS, st.integers(0, 40), valid_from=STARTS, valid_to=ENDS)
ASSETS = st.builds(
    Asset,
    code=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(AssetKind),
    unit=CODES,
    staff_group=GROUPS,
    year=st.one_of(st.none(), st.integers(2000, 2026)),
    state=st.sampled_from(AssetState),
    valid_from=STARTS,
    valid_to=ENDS,
)
ROWS = st.one_of(UNITS, SUCCESSIONS, SITES, LINKS, STAFF_COUNTS, ASSETS)


def estates() -> st.SearchStrategy[Estate]:
    """Estates put together row by row; references may point anywhere."""
    return st.lists(ROWS, max_size=12).map(lambda rows: edits.put_all(Estate(), rows))


@st.composite
def trees(draw: st.DrawFn) -> Estate:
    """A root with three levels below it, people and things everywhere, nothing that ever changed."""
    rows: list[edits.Row] = [
        Unit("r", "root"),
        StaffGroup("cbcc", "CBCC"),
        StaffGroup("ban_chuyen_trach", "BCT"),
    ]
    codes = ["r"]
    for number in range(draw(st.integers(2, 9))):
        parent = draw(st.sampled_from(codes))
        codes.append(f"u{number}")
        rows.append(Unit(codes[-1], codes[-1], parent=parent, position=number))
    for code in codes:
        rows.append(StaffCount(code, draw(GROUPS), draw(st.integers(0, 40))))
        for number in range(draw(st.integers(0, 3))):
            kind, state = draw(st.sampled_from(AssetKind)), draw(st.sampled_from(AssetState))
            rows.append(Asset(f"{code}-{number}", kind, code, staff_group=draw(GROUPS), state=state))
    return edits.put_all(Estate(), rows)
