"""States, figures, searching and sorting: pure decisions about one machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.ledger.facts import FactRow
from hatang_collector.ledger.machines import Machine
from hatang_collector.live import MachineNow, Value
from hatang_collector.web.fact_tables import cell, fact_tables
from hatang_collector.web.freshness import GRACE_MS, State, is_fresh, state_of
from hatang_collector.web.i18n import texts
from hatang_collector.web.summary import (
    Summary,
    current,
    display_name,
    folded,
    matches,
    sort_key,
    summarise,
    uptime,
)

NOW = 1_795_137_960_000
MACHINE = Machine("a" * 16, "Máy kế toán 1", "TS-0142", "pc", NOW - 1)


@pytest.mark.parametrize(
    ("age_ms", "role", "interval_ms", "fresh"),
    [
        (0, "pc", None, True),
        (300_000 + GRACE_MS, "pc", None, True),
        (300_000 + GRACE_MS + 1, "pc", None, False),
        (15_000 + GRACE_MS, "probe", None, True),
        (15_000 + GRACE_MS + 1, "probe", None, False),
        (60_000 + GRACE_MS, "pc", 60_000, True),
        (60_000 + GRACE_MS + 1, "pc", 60_000, False),
        (300_000, "unheard", None, True),
        (-5_000, "pc", None, True),
    ],
)
def test_fresh_means_interval_and_grace(age_ms: int, role: str, interval_ms: int | None, fresh: bool) -> None:
    """The newest report may be as old as its interval and 90 s, and not a millisecond more."""
    assert is_fresh(NOW - age_ms, role, NOW, interval_ms) is fresh


@pytest.mark.parametrize(
    ("age_ms", "farewell", "state"),
    [
        (None, None, State.NO_DATA),
        (None, "stop", State.OFF),
        (1_000, None, State.UP),
        (1_000, "shutdown", State.OFF),
        (1_000, "sleep", State.OFF),
        (1_000, "lost", State.UP),
        (10**7, "lost", State.SILENT),
        (10**7, None, State.SILENT),
        (10**7, "update", State.OFF),
        (10**7, "something new", State.SILENT),
    ],
)
def test_state(age_ms: int | None, farewell: str | None, state: State) -> None:
    """An orderly goodbye counts at once; a lost connection only by the age of the report."""
    report_ms = None if age_ms is None else NOW - age_ms
    assert state_of(report_ms, "pc", farewell, NOW) is state


def machine_now(report_ms: int = NOW - 10_000, **values: float) -> MachineNow:
    """A live machine with values of the measurement ``usage``."""
    fields = {name: Value(value, "%", report_ms) for name, value in values.items()}
    return MachineNow("a" * 16, last_report_ms=report_ms, values={("usage", ()): fields})


def test_an_absent_value_is_none_never_zero() -> None:
    """A machine that measured only its memory has no processor load, disk, network or uptime."""
    found = summarise(MACHINE, machine_now(memory_percent=50.0), None, 0, NOW)
    assert found.memory_percent == 50.0
    assert (found.cpu_percent, found.disk, found.network, found.uptime_s, found.os) == (None,) * 5


def test_a_measured_zero_stays_zero() -> None:
    """Zero is a figure like any other."""
    assert summarise(MACHINE, machine_now(cpu_percent=0.0), None, 0, NOW).cpu_percent == 0.0


def test_a_value_older_than_the_newest_report_allows_is_not_current() -> None:
    """A probe that fails while reports go on leaves no old figure on the page."""
    old = Value(5.0, "%", NOW - 300_000 - GRACE_MS - 1)
    assert current(old, NOW, "pc") is None
    assert current(old, NOW - 10_000, "pc") == 5.0
    assert current(None, NOW, "pc") is None


def test_a_silent_machine_keeps_its_last_figures() -> None:
    """What was measured last is still told, beside the state that says how old it is."""
    found = summarise(MACHINE, machine_now(NOW - 10**8, cpu_percent=7.0), None, 0, NOW)
    assert (found.state, found.cpu_percent) == (State.SILENT, 7.0)


def test_a_machine_that_reports_seldom_is_silent_later() -> None:
    """The interval that its settings give it decides, not that of its role."""
    seldom = machine_now(NOW - 600_000)
    assert summarise(MACHINE, seldom, None, 0, NOW).state is State.SILENT
    assert summarise(MACHINE, seldom, None, 0, NOW, interval_ms=600_000).state is State.UP


def test_uptime_goes_on_between_samples() -> None:
    """Uptime is sampled hourly; the newest report carries it on, but not for ever."""
    assert uptime(Value(100.0, "s", NOW - 60_000), NOW) == 160.0
    assert uptime(Value(100.0, "s", NOW - 10**8), NOW) is None
    assert uptime(None, NOW) is None


def test_the_fullest_disk_and_the_busiest_interface_are_shown() -> None:
    """Of several disks the fullest, of several interfaces the one that carries most, never loopback."""

    def use(**fields: float) -> dict[str, Value]:
        return {name: Value(value, "", NOW) for name, value in fields.items()}

    live = MachineNow(
        "a" * 16,
        last_report_ms=NOW,
        values={
            ("usage", (("mount", "C:"),)): use(disk_percent=40.0),
            ("usage", (("mount", "D:"),)): use(disk_percent=93.0),
            ("interfaces", (("interface", "lo"),)): use(rx_bps=1e9, tx_bps=1e9),
            ("interfaces", (("interface", "eth0"),)): use(rx_bps=10.0, tx_bps=5.0),
            ("interfaces", (("interface", "wlan0"),)): use(up=1.0),
            ("interfaces", (("interface", "eth1"),)): use(rx_bps=900.0),
        },
    )
    found = summarise(MACHINE, live, None, 0, NOW)
    assert found.disk is not None
    assert (found.disk.mount, found.disk.percent) == ("D:", 93.0)
    assert found.network is not None
    assert (found.network.interface, found.network.rx_bps, found.network.tx_bps) == ("eth1", 900.0, None)


@pytest.mark.parametrize(
    ("label", "asset", "name"),
    [("Máy 1", "TS-1", "Máy 1"), ("  ", "TS-1", "TS-1"), ("", "", "aaaaaaaa")],
)
def test_name_falls_back(label: str, asset: str, name: str) -> None:
    """Label, else asset code, else the start of the id."""
    assert display_name(Machine("a" * 16, label, asset, "pc", 0)) == name


def summary(label: str = "Máy kế toán 1") -> Summary:
    """A summary of a machine with that label."""
    machine = Machine("a" * 16, label, "TS-0142", "pc", 0)
    return summarise(machine, machine_now(), None, 0, NOW, "Văn phòng Đảng ủy")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("ke toan", True),
        ("KẾ TOÁN", True),
        ("dang uy", True),
        ("toan may", True),
        ("0142", True),
        ("aaaa", True),
        ("máy 3", False),
    ],
)
def test_search_forgives_case_marks_and_order(query: str, found: bool) -> None:
    """People type without marks; every word must be somewhere."""
    assert matches(summary(), query, "", "") is found


def test_filters_by_role_and_state() -> None:
    """An empty filter lets everything pass, another one only its own."""
    assert matches(summary(), "", "pc", "up")
    assert not matches(summary(), "", "probe", "")
    assert not matches(summary(), "", "", "silent")


def test_worst_first_then_numbers_by_value() -> None:
    """Silent machines come first, and machine 2 before machine 10."""
    keys = [
        sort_key(State.SILENT, "Zz", "z"),
        sort_key(State.NO_DATA, "a", "a"),
        sort_key(State.OFF, "a", "a"),
        sort_key(State.UP, "Máy 2", "z"),
        sort_key(State.UP, "Máy 10", "a"),
        sort_key(State.UP, "Đông", "a"),
    ]
    assert keys[:5] == sorted(keys[:5])
    assert keys[5] < keys[3]


@given(st.text(max_size=200))
def test_any_label_can_be_folded_and_sorted(label: str) -> None:
    """No label breaks searching or sorting, and keys stay short."""
    assert folded(label).casefold() is not None
    assert len(sort_key(State.UP, label, "a" * 16)) < 2000


def fact(kind: str, key: str, **fields: str | float | bool | None) -> FactRow:
    """A fact in force."""
    return FactRow("a" * 16, kind, key, fields, NOW, NOW, "x-1", certain=True)


def test_fact_tables_name_what_they_know_and_show_what_they_do_not() -> None:
    """Known kinds and fields have texts, unknown ones their own names; empty columns are left out."""
    rows = [
        fact("nic", "eth0", name="eth0", mac="02:00", gateway=None),
        fact("nic", "eth1", name="eth1"),
        fact("gadget", "x", newness=3),
    ]
    tables = fact_tables(rows, texts("vi"))
    assert [table.title for table in tables] == ["Card mạng", "gadget"]
    assert tables[0].columns == ["MAC đang dùng"]
    assert tables[0].rows == [["eth0", "02:00"], ["eth1", "không đo được"]]
    assert tables[1].columns == ["newness"]


def test_words_of_a_closed_list_are_in_the_reader_s_language() -> None:
    """A state has its text; a word without one, and a name that looks like one, stay as they are."""
    rows = [fact("disk", "sda", health="failing", model="good"), fact("os", "", supported="soon")]
    vi, en = (fact_tables(rows, texts(language)) for language in ("vi", "en"))
    assert "sắp hỏng" in vi[0].rows[0]
    assert "failing" in en[0].rows[0]
    assert "good" in vi[0].rows[0]
    assert vi[1].rows == [["", "soon"]]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("size", 240_057_409_536, "224 GB"),
        ("speed_bps", 1_000_000_000, "1,0 Gbit/s"),
        ("up", True, "có"),
        ("virtual", False, "không"),
        ("model", "", "không đo được"),
        ("cores", 4, "4"),
        ("installed_ms", NOW, "20/11/2026 08:26"),
        ("delay_ms", 12, "12 ms"),
        ("support_end", "2025-10-14", "14/10/2025"),
        ("version", "6.1-2025-10-14", "6.1-2025-10-14"),
    ],
)
def test_cells_follow_the_fields_name(name: str, value: str | float | bool, text: str) -> None:
    """Bytes, rates, moments and yes or no are written as people read them."""
    assert cell(name, value, texts("vi")) == text
