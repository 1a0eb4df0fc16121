"""Rates of an adapter: only between two readings that can be compared."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.probes._nic import COUNTERS, Nic
from hatang_agent.probes.interfaces import Reading, rates, samples_of
from hatang_agent.probes.interfaces_linux import parse_dev, parse_if_inet6, parse_routes


def nic(rx: int, tx: int, speed_bps: int | None = None, name: str = "eth0", mac: str = "m") -> Nic:
    """A wired card that is up."""
    counters = dict.fromkeys(COUNTERS, 0) | {"rx_bytes": rx, "tx_bytes": tx}
    return Nic(name, True, False, "ethernet", mac=mac, speed_bps=speed_bps, counters=counters)


def reading(one: Nic, boot_ms: int = 0, boot_id: str = "b") -> Reading:
    """A reading with one card."""
    return Reading(boot_id, boot_ms, (one,))


BEFORE = reading(nic(1_000, 2_000))


def test_a_rate_is_bits_per_second() -> None:
    """Bytes between the readings, eight bits each, over the boot clock."""
    now = nic(1_000 + 75_000, 2_000 + 7_500)
    assert rates(BEFORE, reading(now, 60_000), now) == {"rx_bps": 10_000, "tx_bps": 1_000}


@pytest.mark.parametrize(
    ("before", "now", "boot_ms", "boot_id"),
    [
        (None, nic(5_000, 5_000), 60_000, "b"),
        (BEFORE, nic(5_000, 5_000), 60_000, "another boot"),
        (BEFORE, nic(5_000, 5_000), 0, "b"),
        (BEFORE, nic(999, 5_000), 60_000, "b"),
        (BEFORE, nic(5_000, 1_999), 60_000, "b"),
        (BEFORE, nic(5_000, 5_000, name="eth1"), 60_000, "b"),
        (BEFORE, nic(5_000, 5_000, mac="another card"), 60_000, "b"),
        (BEFORE, dataclasses.replace(nic(0, 0), counters=None), 60_000, "b"),
        (BEFORE, nic(10**9, 5_000, speed_bps=1_000_000), 1_000, "b"),
    ],
    ids=[
        "no-predecessor",
        "rebooted",
        "no-time",
        "rx-back",
        "tx-back",
        "new",
        "replaced",
        "no-counters",
        "too-fast",
    ],
)
def test_no_rate_where_a_doubt_remains(before: Reading | None, now: Nic, boot_ms: int, boot_id: str) -> None:
    """A missing predecessor, another boot, counters that went back, or more than the link can carry."""
    assert rates(before, reading(now, boot_ms, boot_id), now) == {}


def test_the_link_bounds_the_rate() -> None:
    """The grain of the clock cannot make a line faster than it is."""
    now = nic(1_000 + 131_000, 2_000, speed_bps=1_000_000)
    assert rates(BEFORE, reading(now, 1_000), now) == {"rx_bps": 1_000_000, "tx_bps": 0}


@given(
    st.tuples(st.integers(0, 2**50), st.integers(0, 2**50)),
    st.tuples(st.integers(0, 2**50), st.integers(0, 2**50)),
    st.integers(-10, 10**9),
    st.one_of(st.none(), st.integers(1, 10**11)),
)
def test_rates_are_never_negative_and_never_above_the_link(
    first: tuple[int, int], second: tuple[int, int], elapsed_ms: int, speed_bps: int | None
) -> None:
    """Whatever the counters do, both rates are there within their bounds, or neither is."""
    now = nic(*second, speed_bps=speed_bps)
    found = rates(reading(nic(*first)), reading(now, elapsed_ms), now)
    assert set(found) in (set(), {"rx_bps", "tx_bps"})
    assert all(0 <= rate <= (speed_bps or rate) for rate in found.values())


def test_a_card_without_a_link_says_only_that() -> None:
    """Its counters stand still and are not sent."""
    down = dataclasses.replace(nic(1, 2), up=False)
    assert [(one.name, one.value) for one in samples_of(down, {})] == [("interfaces.up", 0)]


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    """Files of /proc in any shape give what can be read of them."""
    assert all(set(counters) == set(COUNTERS) for counters in parse_dev(text).values())
    assert isinstance(parse_routes("head\n" + text), dict)
    assert isinstance(parse_if_inet6(text), dict)


def test_the_default_route_with_the_lowest_metric_wins() -> None:
    """Two gateways on a card: the one the system would take."""
    row = "eth0\t00000000\t{gateway}\t0003\t0\t0\t{metric}\t00000000\t0\t0\t0\n"
    text = "head\n" + row.format(gateway="0101A8C0", metric=200) + row.format(gateway="FE01A8C0", metric=100)
    assert parse_routes(text) == {"eth0": ("192.168.1.254", 100)}
