"""What is exported reads back to the same rows: whatever is in them, as workbook and as CSV."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatang_collector.domain import checks, edits
from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.difference import difference
from hatang_collector.domain.estate import (
    STAFF_GROUPS,
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
    Target,
    Unit,
)
from hatang_collector.sheets.export import csv_files, csv_templates, template, workbook
from hatang_collector.sheets.files import Source
from hatang_collector.sheets.lines import is_example
from hatang_collector.sheets.plan import read_files
from hatang_collector.sheets.said import LANGUAGES, Language
from hatang_collector.sheets.text import clean
from support.communes import nam_dong
from support.estates import trees

TODAY = date(2026, 3, 2)
FIRST = date(2019, 6, 1)
AWKWARD = [
    "=1+1",
    "+84",
    "-",
    "–",
    "@a",
    "'x",
    "'=x",
    "''",
    '"',
    ";",
    "a;b",
    "1,5",
    "00123",
    "1e5",
    "TRUE",
    "có",
    "#1",
    "x\u0303",
]


def texts(least: int = 0) -> st.SearchStrategy[str]:
    """Texts as they are kept, the awkward ones more often than in life."""
    drawn = st.text("aăơđĐHòàỷ 019=+-@';\",.:/_()&<>", min_size=least, max_size=12) | st.sampled_from(AWKWARD)
    return drawn.map(clean).filter(lambda text: len(text) >= least and not is_example([text]))


RATES = st.none() | st.floats(0, 10_000, allow_nan=False) | st.integers(0, 10**7).map(lambda n: n / 1000)
DAYS = st.integers(0, 400).map(lambda number: FIRST + timedelta(days=number))


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """Small estates without contradictions: units with a history, a site, and one of everything on them."""
    codes = draw(st.lists(texts(1), min_size=2, max_size=4, unique=True))
    rows: list[edits.Row] = [*STAFF_GROUPS]
    root, *others = codes
    rows.append(Unit(root, draw(texts(1)), draw(texts()), position=draw(st.integers(0, 99))))
    for code in others:
        rows.append(Unit(code, draw(texts(1)), draw(texts()), root))
        if draw(st.booleans()):
            rows.append(Unit(code, draw(texts(1)), parent=root, valid_from=draw(DAYS)))
    site = draw(texts(1))
    rows += [
        Site(site, draw(texts(1)), draw(texts()), draw(st.sampled_from(["", "T2-T6 08:00-12:00"]))),
        SiteUnit(site, root, draw(st.just(BEGINNING) | DAYS)),
        Service("dv", draw(texts(1)), draw(texts())),
        Target(draw(texts(1)), Network.SERVICE, draw(st.sampled_from(Method)), draw(texts(1)), "dv", root),
        SpecialDay(draw(st.sampled_from(["", f"unit:{root}", f"site:{site}"])), draw(DAYS), DayKind.WORKED),
        StaffCount(root, "cbcc", draw(st.integers(0, 10**6)), draw(texts()), draw(DAYS)),
    ]
    for number in range(draw(st.integers(0, 3))):
        since = draw(st.just(BEGINNING) | DAYS)
        until = draw(st.none() | st.integers(1, 900).map(lambda days: FIRST + timedelta(days=400 + days)))
        period = {"valid_from": st.just(since), "valid_to": st.just(until)}
        flags = dict.fromkeys(("essential", "metered", "beats", "reports"), st.booleans())
        rates = {"down_mbps": RATES, "up_mbps": RATES}
        words = dict.fromkeys(("provider", "contract", "purpose"), texts())
        line = {"code": st.just(f"l{number}"), "site": st.just(site), "kind": st.sampled_from(LinkKind)}
        rows.append(draw(st.builds(Link, **line, **words, **rates, **flags, **period)))
        words = dict.fromkeys(("label", "model", "serial", "room", "note"), texts())
        year = {"year": st.none() | st.integers(1970, 2100)}
        thing = {
            "code": st.just(f"a{number}"),
            "kind": st.sampled_from(AssetKind),
            "unit": st.sampled_from(codes),
            "staff_group": st.sampled_from(["", "cbcc"]),
            "state": st.sampled_from(AssetState),
        }
        rows.append(draw(st.builds(Asset, **thing, **words, **year, **period)))
    return edits.put_all(Estate(), rows)


def same(before: Estate, sources: list[Source], held: Estate) -> None:
    """Assert that files make ``before`` of ``held``, without a problem."""
    made = read_files(sources, held, TODAY)

    assert [one.line("en") for one in made.problems] == []
    assert difference(before, made.estate_after) == []
    if held is before:
        assert made.estate_after is before


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(estates(), st.sampled_from(LANGUAGES))
def test_an_export_of_anything_reads_back(estate: Estate, language: Language) -> None:
    """Onto itself nothing changes; onto nothing it is the same again. As workbook and as CSV."""
    assert checks.problems(estate) == []
    tables = [Source(name, content) for name, content in csv_files(estate, language=language).items()]
    for sources in ([Source("a.xlsx", workbook(estate, language=language))], tables):
        same(estate, sources, estate)
        same(estate, sources, Estate())


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(trees())
def test_an_export_of_a_tree_reads_back(estate: Estate) -> None:
    """Three levels, people and things everywhere."""
    same(estate, [Source("a.xlsx", workbook(estate))], Estate())


def test_chosen_sheets_only() -> None:
    """An export of two nouns changes nothing of the others."""
    estate = nam_dong()
    files = csv_files(estate, ["assets", "units"])

    assert sorted(files) == ["don-vi.csv", "tai-san.csv"]
    same(estate, [Source(name, content) for name, content in files.items()], estate)
    same(estate, [Source("a.xlsx", workbook(estate, {"links"}))], estate)


def test_templates_hold_nothing_to_import() -> None:
    """Their examples are left out although nobody deleted them."""
    for language in LANGUAGES:
        tables = [Source(name, content) for name, content in csv_templates(language=language).items()]
        for sources in ([Source("mau.xlsx", template(language=language))], tables):
            made = read_files(sources, nam_dong(), TODAY)

            assert (made.rows, list(made.problems), list(made.differences)) == (0, [], [])
            assert list(made.warnings) == []
