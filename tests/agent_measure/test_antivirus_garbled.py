"""Broken answers of antivirus products: never "protected", never "absent"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatang_agent.probes import _antivirus_center as center
from hatang_agent.probes import _antivirus_clamav as clamav
from hatang_agent.probes import _antivirus_commands as commands
from hatang_agent.probes import _antivirus_mdatp as mdatp
from hatang_agent.probes import antivirus_linux, antivirus_macos, antivirus_windows
from hatang_agent.probes._antivirus_verdict import (
    ABSENT,
    MAX_EVIDENCE,
    OFF,
    OUT_OF_DATE,
    PROTECTED,
    UNREADABLE,
    Found,
    Look,
    judge,
    raw,
    summarise,
    without,
)
from hatang_agent.system import Output
from hatang_agent.system_replay import ReplaySystem
from support.endpoint_data import Recording

LIMIT = 7
slow_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

Parse = Callable[[Output, int], Found]
PARSERS: tuple[Parse, ...] = (mdatp.parse, commands.bitdefender, commands.kaspersky, commands.sophos)

BITDEFENDER_NOW, DEFENDER_NOW = 1_692_900_000_000, 1_683_100_000_000  # days of the recordings
KASPERSKY_NOW = 1_795_161_600_000
KASPERSKY = (
    "Name: Kaspersky Endpoint Security 12.1 for Linux\nVersion: 12.1.0.1274\n"
    "Application databases loaded: Yes\nLast release date of databases: 2026-11-18 18:04:00\n"
    "File Threat Protection: Available and running\nFirewall Management: Available and stopped\n"
)


@pytest.fixture
def answers(field_data: Path) -> dict[str, tuple[str, Parse, int]]:
    """Answers that mean protected, with their reader and their day."""
    folder = field_data / "endpoint"
    return {
        "bitdefender": (
            (folder / "linux/antivirus-bduitool-7.0.3.2239").read_text(encoding="utf-8"),
            commands.bitdefender,
            BITDEFENDER_NOW,
        ),
        "defender": (
            (folder / "macos/antivirus-defender-101.98.30.json").read_text(encoding="utf-8"),
            mdatp.parse,
            DEFENDER_NOW,
        ),
        "kaspersky": (KASPERSKY, commands.kaspersky, KASPERSKY_NOW),
    }


def said_to_protect(name: str, text: str) -> bool:
    """Whether a text still says the two decisive things; read in another way than the readers do."""
    if name == "bitdefender":
        return re.search(r"Antimalware status\s*:\s*On\s", f"{text}\n") is not None
    if name == "kaspersky":
        return "Available and running" in text and re.search(r"loaded\s*:\s*Yes", text) is not None
    try:
        json.loads(text)
    except ValueError:
        return False
    return (
        re.search(r'"realTimeProtectionEnabled"\s*:\s*({[^}]*"value"\s*:\s*"?true|"?true)', text, re.I)
        is not None
    )


NAMES = ("bitdefender", "defender", "kaspersky")


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_answers_mean_protected(name: str, answers: dict[str, tuple[str, Parse, int]]) -> None:
    """Else the tests below would prove nothing."""
    text, parse, now_ms = answers[name]
    assert judge(parse(Output(text, "", 0), now_ms), LIMIT).state == PROTECTED


@pytest.mark.parametrize("name", NAMES)
def test_answers_cut_off_anywhere(name: str, answers: dict[str, tuple[str, Parse, int]]) -> None:
    """A prefix is believed only as far as it still says the decisive things."""
    text, parse, now_ms = answers[name]
    for end in range(len(text.rstrip())):
        cut = text[:end]
        if judge(parse(Output(cut, "", 0), now_ms), LIMIT).state == PROTECTED:
            assert said_to_protect(name, cut)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@slow_fixture
def test_answers_with_changed_characters(
    name: str, answers: dict[str, tuple[str, Parse, int]], data: st.DataObject
) -> None:
    """Any few characters replaced, removed or put in: protected only while the decisive words stand."""
    text, parse, now_ms = answers[name]
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 8)))
        text = text[:at] + data.draw(st.text(max_size=6)) + text[end:]
    found = parse(Output(text, "", 0), now_ms)
    state = judge(found, LIMIT).state
    assert state in (PROTECTED, OFF, OUT_OF_DATE, UNREADABLE)
    assert state != PROTECTED or said_to_protect(name, text)
    assert len(found.evidence) <= MAX_EVIDENCE
    assert summarise(Look([found]), LIMIT).state != ABSENT


DECISIVE = {
    "bitdefender": "Antimalware status: On",
    "defender": '"realTimeProtectionEnabled":{"displayValue":true,"isManaged":false,"value":true}',
    "kaspersky": "File Threat Protection: Available and running",
}


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@slow_fixture
def test_a_change_in_the_decisive_words(
    name: str, answers: dict[str, tuple[str, Parse, int]], data: st.DataObject
) -> None:
    """One letter of the words that decide, and the product no longer counts as protecting."""
    text, parse, now_ms = answers[name]
    words = DECISIVE[name]
    beside = re.search(r'"displayValue":true,"isManaged":false,', words)  # says nothing of the state
    skipped = range(*beside.span()) if beside else range(0)
    letters = [at for at, one in enumerate(words) if one.isalpha() and at not in skipped]
    at = data.draw(st.sampled_from(letters))
    other = data.draw(st.characters(categories=["L", "N", "P"]).filter(lambda one: one != words[at]))
    changed = text.replace(words, words[:at] + other + words[at + 1 :])
    assert changed != text
    assert judge(parse(Output(changed, "", 0), now_ms), LIMIT).state != PROTECTED


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.text(), error=st.text(max_size=20), code=st.integers(-9, 255))
def test_arbitrary_output_is_unreadable(parse: Parse, text: str, error: str, code: int) -> None:
    """Noise is evidence and nothing else."""
    found = parse(Output(text, error, code), KASPERSKY_NOW)
    assert judge(found, LIMIT).state == UNREADABLE
    assert len(found.evidence) <= MAX_EVIDENCE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
health_names = st.sampled_from(
    [
        "realTimeProtectionAvailable",
        "passiveModeEnabled",
        "definitionsStatus",
        "definitionsUpdated",
        "healthIssues",
    ]
)


@given(answer=st.dictionaries(health_names, json_values) | json_values)
def test_arbitrary_json_of_defender(answer: Any) -> None:
    """Without a plain word that real-time protection is on, it is not."""
    found = mdatp.parse(Output(json.dumps(answer), "", 0), DEFENDER_NOW)
    assert judge(found, LIMIT).state in (UNREADABLE, OFF)


@given(number=json_values | st.integers(0, 0x1FFFFF))
def test_arbitrary_registered_states(number: Any) -> None:
    """Protected needs the bits of on and current, whatever else the number holds."""
    (found,) = center.registrations([{"displayName": "Guard", "productState": number}])
    if judge(found, LIMIT).state == PROTECTED:
        assert int(number) & 0xF0F0 == 0x1000
    assert len(found.evidence) <= MAX_EVIDENCE


status_names = st.sampled_from(center.STATUS_PROPERTIES)


@given(status=st.dictionaries(status_names, json_values))
def test_arbitrary_answers_of_defenders_class(status: dict[str, Any]) -> None:
    """Protected needs AntivirusEnabled and nothing that speaks against it."""
    found = center.defender(status, None, DEFENDER_NOW)
    if found is not None and judge(found, LIMIT).state == PROTECTED:
        assert str(status["AntivirusEnabled"]).strip().lower() == "true"
        assert str(status.get("RealTimeProtectionEnabled")).strip().lower() != "false"


class Told(ReplaySystem):
    """A machine on which every program prints the same."""

    text = ""

    def run(self, argv: Any, timeout_s: float) -> Output:
        """Whatever is asked."""
        del argv, timeout_s
        return Output(self.text, "", 0)


@pytest.mark.parametrize(
    ("platform", "look"),
    [
        ("linux", antivirus_linux.look),
        ("windows", antivirus_windows.look),
        ("macos", antivirus_macos.look),
    ],
)
@given(text=st.text() | json_values.map(json.dumps))
@slow_fixture
def test_a_machine_that_prints_nonsense(
    platform: str, look: Callable[[Any], Look], tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """The summary of a machine whose every answer is noise is unreadable."""
    system = Told(Recording(tmp_path_factory.mktemp("noise"), platform).folder)
    system.text = text
    assert summarise(look(system), LIMIT).state == UNREADABLE


@given(
    head=st.text(max_size=80)
    | st.from_regex(r"ClamAV-VDB:\d+ \w{3} \d{4} \d\d-\d\d [+-]\d{4}:\d+:", fullmatch=True)
)
def test_arbitrary_heads_of_a_database(head: str) -> None:
    """No date, or one; never an error."""
    made = clamav.made_ms(head)
    assert made is None or made > 0


founds = st.builds(
    Found,
    key=st.text(min_size=1, max_size=5),
    product=st.text(max_size=5),
    active=st.none() | st.booleans(),
    current=st.none() | st.booleans(),
    age_days=st.none() | st.integers(0, 30),
)


@given(found=st.lists(founds, max_size=4), gaps=st.lists(st.just("gap"), max_size=2))
def test_the_summary_follows_from_the_products(found: list[Found], gaps: list[str]) -> None:
    """Absent only for a complete look that found nothing; protected only by a product that protects."""
    state = summarise(Look(found, gaps), LIMIT).state
    states = {judge(one, LIMIT).state for one in found}
    assert (state == ABSENT) == (not found and not gaps)
    assert (state == PROTECTED) == (PROTECTED in states)
    assert not found or state in states
    assert state != OFF or states == {OFF}


@given(text=st.text(), own_name=st.text(max_size=6))
def test_evidence_is_printable_and_short(text: str, own_name: str) -> None:
    """Whatever was printed."""
    shown = without(own_name, raw(text))
    assert len(shown) <= MAX_EVIDENCE
    assert shown.isprintable()
