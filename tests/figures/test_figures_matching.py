"""Matching of assets and agents: evidence by strength, contradictions told, nobody dropped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain.estate import Asset, AssetKind, AssetState
from hatang_collector.domain.matching import By, Conflict, Identity, Match, Why, match

ASSET = Asset("TS-0142", AssetKind.DESKTOP, "u1", "s1", label="Máy kế toán 1", serial="PF2K-91XX")
OTHER = Asset("TS-0143", AssetKind.LAPTOP, "u1", "s1", label="Máy văn thư", serial="ZZ 778 01")


@pytest.mark.parametrize(
    ("identity", "by"),
    [
        (Identity("a", asset_code="TS-0142"), By.CODE),
        (Identity("a", asset_code=" ts - 0142"), By.CODE),
        (Identity("a", serials=("pf2k91xx",)), By.SERIAL),
        (Identity("a", serials=("", "unknown", "PF2K 91XX")), By.SERIAL),
        (Identity("a", label="máy kế toán  1", unit="u1"), By.LABEL),
        (Identity("a", label="MÁY KẾ TOÁN 1", site="s1"), By.LABEL),
        (Identity("a", label="Máy kế toán 1", unit="u2", site="s2"), None),
        (Identity("a", label="Máy kế toán 1"), None),
        (Identity("a"), None),
    ],
)
def test_each_kind_of_evidence(identity: Identity, by: By | None) -> None:
    """Spellings are forgiven; a label says something only within its unit or site."""
    found = match([ASSET, OTHER], [identity])
    assert found.matches == (() if by is None else (Match("a", "TS-0142", by),))
    assert found.conflicts == ()
    assert found.agents_left == (("a",) if by is None else ())
    assert found.assets_left == (("TS-0142", "TS-0143") if by is None else ("TS-0143",))


def test_the_stronger_evidence_is_followed_and_the_difference_told() -> None:
    """The code says one asset, the label another one."""
    found = match([ASSET, OTHER], [Identity("a", asset_code="TS-0143", label="Máy kế toán 1", unit="u1")])
    assert found.matches == (Match("a", "TS-0143", By.CODE),)
    assert found.conflicts == (Conflict(Why.EVIDENCE_DIFFERS, By.CODE, ("a",), ("TS-0143", "TS-0142")),)


def test_two_agents_with_one_code_are_one_machine() -> None:
    """A computer that was enrolled again counts once, and a person is told."""
    found = match([ASSET], [Identity("a", asset_code="TS-0142"), Identity("b", serials=("PF2K-91XX",))])
    assert found.by_agent() == {"a": "asset:TS-0142", "b": "asset:TS-0142"}
    assert found.conflicts == (Conflict(Why.SEVERAL_AGENTS, By.SERIAL, ("a", "b"), ("TS-0142",)),)
    assert (found.agents_left, found.assets_left) == ((), ())


def test_two_agents_with_one_label_are_on_no_asset() -> None:
    """Two computers may well have the same name: neither is taken for the asset."""
    twins = [Identity(name, label="Máy kế toán 1", unit="u1") for name in "ab"]
    found = match([ASSET], twins)
    assert found.matches == ()
    assert found.conflicts == (Conflict(Why.SEVERAL_AGENTS, By.LABEL, ("a", "b"), ("TS-0142",)),)
    assert (found.agents_left, found.assets_left) == (("a", "b"), ("TS-0142",))


def test_a_label_gives_way_to_a_code() -> None:
    """Who has the code keeps the asset."""
    found = match(
        [ASSET], [Identity("a", label="Máy kế toán 1", unit="u1"), Identity("b", asset_code="TS-0142")]
    )
    assert found.matches == (Match("b", "TS-0142", By.CODE),)
    assert found.agents_left == ("a",)
    assert [one.why for one in found.conflicts] == [Why.SEVERAL_AGENTS]


def test_evidence_that_names_several_assets_decides_nothing() -> None:
    """Two assets with one serial number: the agent stays open, and a clear label still counts."""
    twin = replace(OTHER, serial="PF2K-91XX")
    found = match([ASSET, twin], [Identity("a", serials=("PF2K-91XX",))])
    assert found.matches == ()
    assert found.conflicts == (Conflict(Why.SEVERAL_ASSETS, By.SERIAL, ("a",), ("TS-0142", "TS-0143")),)
    named = match([ASSET, twin], [Identity("a", serials=("PF2K-91XX",), label="Máy văn thư", site="s1")])
    assert named.matches == (Match("a", "TS-0143", By.LABEL),)
    assert [one.why for one in named.conflicts] == [Why.SEVERAL_ASSETS]


@pytest.mark.parametrize("state", [AssetState.BROKEN, AssetState.DISPOSED, AssetState.LOST])
def test_what_reports_but_is_declared_gone_is_told(state: AssetState) -> None:
    """Such an asset is matched; without an agent it is no longer missed."""
    gone = replace(ASSET, state=state)
    found = match([gone], [Identity("a", asset_code="TS-0142")])
    assert found.conflicts == (Conflict(Why.NOT_STANDING, By.CODE, ("a",), ("TS-0142",)),)
    assert match([gone], []).assets_left == ()


def test_devices_are_not_machines() -> None:
    """A printer is neither matched nor missed."""
    printer = replace(ASSET, kind=AssetKind.PRINTER)
    found = match([printer], [Identity("a", asset_code="TS-0142")])
    assert (found.matches, found.assets_left, found.agents_left) == ((), (), ("a",))


WORDS = st.sampled_from(["", "TS-1", "TS-2", "ts-1", "Máy 1", "Máy 2", "SN-1", "SN-2"])
ASSETS = st.lists(
    st.builds(
        Asset,
        st.sampled_from(["TS-1", "TS-2", "TS-3", "TS-4"]),
        st.sampled_from([AssetKind.DESKTOP, AssetKind.PRINTER]),
        st.sampled_from(["u1", "u2"]),
        site=st.sampled_from(["", "s1"]),
        label=WORDS,
        serial=WORDS,
        state=st.sampled_from(AssetState),
    ),
    max_size=4,
    unique_by=lambda asset: asset.code,
)
AGENTS = st.lists(
    st.builds(
        Identity,
        st.sampled_from("abcde"),
        WORDS,
        WORDS,
        st.tuples(WORDS, WORDS),
        st.sampled_from(["", "u1", "u2"]),
        st.sampled_from(["", "s1"]),
    ),
    max_size=5,
    unique_by=lambda identity: identity.agent,
)


@given(ASSETS, AGENTS)
def test_every_agent_and_every_standing_asset_is_somewhere(
    assets: list[Asset], agents: list[Identity]
) -> None:
    """Matched or left over, never both, never neither; the order of rows is no matter."""
    found = match(assets, agents)
    matched = [one.agent for one in found.matches]
    assert sorted([*matched, *found.agents_left]) == sorted(one.agent for one in agents)
    taken = {one.asset for one in found.matches}
    standing = {
        one.code
        for one in assets
        if one.kind is AssetKind.DESKTOP and one.state in (AssetState.IN_USE, AssetState.SPARE)
    }
    assert set(found.assets_left) == standing - taken
    again = match(list(reversed(assets)), list(reversed(agents)))
    assert again.matches == found.matches
    assert set(again.conflicts) == set(found.conflicts)
