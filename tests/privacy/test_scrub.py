"""What is taken out of free text, and what stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.registry import Result
from hatang_agent.scrub import INSTEAD, private_words, scrub, scrubbed, scrubbed_error
from hatang_agent.system_replay import ReplaySystem
from hatang_agent.wire.report import Fact, RunError
from privacy.planted import CASES, HOST, MARK, USER, plant


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot open /home/an/Tai lieu/luong.xlsx: denied", "cannot open …: denied"),
        (r"C:\Users\Nguyễn Văn An\Desktop\a.doc is locked", "…"),
        (r'"C:\\Users\\an\\a.exe", 3', '"…", 3'),
        ("/Users/an/a.app; /media/an/USB/b", "…; …"),
        ("from an.nguyen@xa.example.vn, sent", "from …, sent"),
        ("the machine MAY-AN01 of an", "the machine … of an"),
        ("clamd@scan.service=active", "clamd@scan.service=active"),
        ("systemd-fsck@dev-sda1.device failed", "systemd-fsck@dev-sda1.device failed"),
        ("iptables-save: filter INPUT DROP; 10.0.0.1", "iptables-save: filter INPUT DROP; 10.0.0.1"),
        ("command not found: /usr/sbin/nft", "command not found: /usr/sbin/nft"),
        (r"C:\Windows\System32\sc.exe", r"C:\Windows\System32\sc.exe"),
        ("may-an012 is another one", "may-an012 is another one"),
    ],
)
def test_people_go_and_the_rest_stays(text: str, left: str) -> None:
    """Folders of people with what is in them, mail, and the machine's name; paths of the system stay."""
    assert scrub(text, {"may-an01"}) == left


@given(st.text(max_size=200), st.sampled_from(["an", "văn", "máy-01", "x.y+z"]))
def test_no_word_is_left(text: str, word: str) -> None:
    """Whatever is around it, as a word of its own in any case; scrubbing twice changes nothing more."""
    once = scrub(f"{text} {word.upper()} {text}", {word})

    assert f" {word.upper()} " not in once
    assert scrub(once, {word}) == once


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_names_of_a_machine_are_known(case: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its own, and those of the folders of people, on every system; names that every machine has are none."""
    machine = ReplaySystem(plant(case, tmp_path_factory.mktemp("machine")))  # type: ignore[arg-type]
    words = private_words(machine)

    assert {HOST, USER} <= words
    assert not words & {"Public", "Default", "Shared", "root", ""}


def test_only_free_text_loses_names() -> None:
    """A maker called like the machine is still a maker; mail is taken out everywhere."""
    machine = ReplaySystem(next(case for case in CASES if case.name == "dell-desktop-debian-12"))
    name = machine.host_name()
    fact = Fact("x", "", {"product": name, "health_reason": f"at {name}", "note": "a@b.vn", "count": 3})

    (found,) = scrubbed(Result(facts=[fact]), machine).facts
    error = scrubbed_error(RunError(f"{name}: {MARK}", f"ask {name}"), machine)

    assert dict(found.fields) == {
        "product": name,
        "health_reason": f"at {INSTEAD}",
        "note": INSTEAD,
        "count": 3,
    }
    assert error == RunError(f"{INSTEAD}: {MARK}", f"ask {INSTEAD}")
    assert scrubbed_error(None, machine) is None
