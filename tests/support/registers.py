"""Helpers for tests of the registers: estates in a ledger, forms of a page, texts that are hard to carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from urllib.parse import urlencode

from hypothesis import strategies as st

from hatang_collector.domain import edits
from hatang_collector.domain.difference import identity
from hatang_collector.domain.edits import Row
from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    AssetState,
    DayKind,
    Estate,
    Link,
    LinkKind,
    Method,
    Network,
    Service,
    Site,
    SiteUnit,
    SpecialDay,
    StaffCount,
    StaffGroup,
    Succession,
    SuccessionKind,
    Target,
    Unit,
)
from hatang_collector.domain.folding import official
from hatang_collector.ledger import audit
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.audit import Change
from hatang_collector.sheets.said import Refused
from hatang_collector.sheets.text import clean
from web.webkit import World

ODD_CODE = "a/b?c=d&e#f%20+\"<'é;: 1"
"""A code with every sign that means something in an address or in HTML."""

D1, D2 = date(2020, 1, 1), date(2024, 3, 1)


def declare(world: World, *rows: Row) -> None:
    """Put rows into the estate."""
    put_in(world, rows)


def put_in(world: World, rows: Iterable[Row]) -> None:
    """Put rows into the estate."""
    estates.edit(
        world.ledger,
        lambda before: edits.put_all(before, rows),
        who="test",
        role="admin",
        now_ms=world.clock(),
    )


def estate_in(world: World) -> Estate:
    """What the ledger holds."""
    with world.ledger.read() as c:
        return estates.load(c)


def number_in(world: World) -> int:
    """The number of the estate, which every change raises."""
    with world.ledger.read() as c:
        return estates.number(c)


def acts_in(world: World, who: str = "admin") -> list[Change]:
    """What somebody changed, oldest first."""
    with world.ledger.read() as c:
        return [one for one in reversed(audit.latest(c)) if one.who == who]


def address_of(noun: str, row: Row) -> str:
    """The address of the form of a row."""
    return f"/registers/{noun}/row?{urlencode([('key', part) for part in identity(row)])}"


@dataclass
class Form(HTMLParser):
    """What a browser would send of the form with an action: its fields as they stand on the page."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    readonly: set[str] = field(default_factory=set)
    found: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._inside = False
        self._select = ""
        self._option: str | None = None
        self._chosen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what a start tag says."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = values.get("action") == self.action
            self.found = self.found or self._inside
        if not self._inside:
            return
        name = values.get("name", "")
        if tag == "input" and name:
            if values.get("type") != "checkbox" or "checked" in values:
                self.fields.setdefault(name, []).append(values.get("value", ""))
            if "readonly" in values:
                self.readonly.add(name)
        elif tag == "select":
            self._select, self._chosen = name, False
        elif tag == "option" and self._select:
            first = self._select not in self.fields
            if first or ("selected" in values and not self._chosen):
                self._chosen = "selected" in values
                self._option = values.get("value")
                self.fields[self._select] = ["" if self._option is None else self._option]

    def handle_data(self, data: str) -> None:
        """Take the text of the chosen option when it has no value of its own."""
        if self._inside and self._select and self._option is None and self.fields.get(self._select) == [""]:
            self.fields[self._select] = [data]

    def handle_endtag(self, tag: str) -> None:
        """Leave a form or a list."""
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""


def form_in(html: str, action: str) -> Form:
    """The form of a page. Fails when the page has none with that action."""
    form = Form(action)
    form.feed(html)
    assert form.found, f"no form for {action}"
    return form


def _kept(text: str) -> bool:
    try:
        return bool(text) and clean(text) == text
    except Refused:
        return False


TEXTS = st.text("aăâđêơưÁộ’\"'<>&=+-@;:%/\\#?0 1", min_size=1, max_size=12).map(official).filter(_kept)
"""What people write, and what they had better not; as it is kept."""

MAYBE = st.one_of(st.just(""), TEXTS)
CODES = st.lists(TEXTS, min_size=2, max_size=4, unique=True)
RATES = st.one_of(st.none(), st.integers(0, 1_000_000).map(lambda number: number / 100))


@st.composite
def sound_estates(draw: st.DrawFn) -> Estate:
    """Small estates without a contradiction: every noun, histories, codes and texts of any sign."""
    root, *codes = draw(CODES)
    units = [root, *codes]
    sites, services, groups = draw(CODES), draw(CODES), draw(CODES)
    unit, site, group = st.sampled_from(units), st.sampled_from(sites), st.sampled_from(groups)
    code = draw(CODES)
    rows: list[Row] = [Unit(root, draw(TEXTS), draw(MAYBE))]
    rows += [Unit(one, draw(TEXTS), draw(MAYBE), root, draw(st.integers(0, 99))) for one in codes]
    rows += [Unit(root, draw(TEXTS), valid_from=D1), Succession(root, codes[0], D2, SuccessionKind.SPLIT)]
    rows += [Site(one, draw(TEXTS), draw(MAYBE), "T2-T6 07:30-11:30", D1) for one in sites]
    rows += [SiteUnit(one, draw(unit)) for one in sites]
    rows += [SpecialDay("", D1, DayKind.CLOSED, draw(MAYBE))]
    rows += [
        SpecialDay(f"unit:{draw(unit)}", D1, DayKind.WORKED),
        SpecialDay(f"site:{sites[0]}", D2, DayKind.CLOSED),
    ]
    rows += [Service(one, draw(TEXTS), draw(MAYBE)) for one in services]
    rows += [
        Target(
            code[0], Network.SERVICE, Method.HTTP, draw(TEXTS), draw(st.sampled_from(services)), draw(unit)
        )
    ]
    rows += [StaffGroup(one, draw(TEXTS)) for one in groups]
    rows += [StaffCount(draw(unit), draw(group), draw(st.integers(0, 9)), draw(MAYBE), D2)]
    for one in code:
        link = Link(one, draw(site), draw(st.sampled_from(LinkKind)), draw(MAYBE), draw(RATES), draw(RATES))
        rows += [link, Link(one, draw(site), LinkKind.LTE, metered=draw(st.booleans()), valid_from=D2)]
        kind, state = draw(st.sampled_from(AssetKind)), draw(st.sampled_from(AssetState))
        year = draw(st.one_of(st.none(), st.integers(1970, 2026)))
        place = (draw(unit), draw(st.one_of(st.just(""), site)), draw(st.one_of(st.just(""), group)))
        label, model, serial, room = (draw(MAYBE) for _ in range(4))
        until = draw(st.one_of(st.none(), st.just(D2)))
        note = draw(MAYBE)
        rows.append(Asset(one, kind, *place, label, model, serial, room, year, state, note, D1, until))
    return edits.put_all(Estate(), rows)
