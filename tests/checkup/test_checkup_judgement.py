"""What a run of a probe means for the person who asked the doctor: pure decisions and texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from hatang_agent import checkup
from hatang_agent.checkup import Area, Finding, State, Words
from hatang_agent.checkup_probes import judge
from hatang_agent.registry import Context, Field, Probe, Result
from hatang_agent.wire.report import Clock, Fact, Run, RunError, Sample, Status

VIETNAMESE = re.compile(
    "[ạảãàáâậầấẩẫăắằặẳẵóòọõỏôộổỗồốơờớợởỡéèẻẹẽêếềệểễúùụủũưựữửừứíìịỉĩýỳỷỵỹđ]", re.IGNORECASE
)


def nothing(_context: Context) -> Result:
    """Measures nothing."""
    return Result()


FIELDS = (
    Field("wall.state", "Tường lửa của máy: on, off, không đọc được", "state of the wall", fact=True),
    Field("wall.other", "Không có", "another", fact=True),
)
PROBE = Probe("wall", "A wall.", object, 60, 5, frozenset({"pc"}), FIELDS, nothing)


def run(status: Status, message: str = "", hint: str = "", facts: tuple[Fact, ...] = ()) -> Run:
    """One run of the probe."""
    error = RunError(message, hint) if message else None
    sample = (Sample("wall.height", 1, "m"),) if status is Status.OK else ()
    return Run("0" * 16 + "-1", "wall", Clock(0, 0, ""), 1, status, sample, facts, error)


def judged(given: Run, *, privileged: bool = False) -> list[Finding]:
    """All findings of a run."""
    return list(judge(PROBE, given, privileged=privileged))


@pytest.mark.parametrize(
    ("given", "state", "code", "said", "todo"),
    [
        (run(Status.OK), State.GOOD, "probe.ok", "1 số đo", ""),
        (run(Status.DISABLED), State.NOTE, "probe.disabled", "tắt theo cấu hình", ""),
        (run(Status.NO_DATA, "no battery"), State.NOTE, "probe.no_data", "không có gì để đo", ""),
        (
            run(Status.FAILED, "no right to read /sys/x", "run as root"),
            State.LACKING, "probe.no_right", "không có quyền đọc /sys/x", "sudo hatang-agent doctor",
        ),
        (
            run(Status.FAILED, "command not found: nft -j list", "install nft"),
            State.LACKING, "probe.failed", "máy chưa có lệnh nft", "cài lệnh nft",
        ),
        (
            run(Status.FAILED, "command took longer than 5 s: powershell -x"),
            State.BAD, "probe.failed", "một lệnh của hệ thống chạy quá 5 s", "máy đang chậm",
        ),
        (run(Status.TIMEOUT, "took longer than 60 s"), State.BAD, "probe.timeout", "quá 60 s", "chậm"),
        (
            run(Status.FAILED, "KeyError: 'x'"),
            State.BAD, "probe.failed", "KeyError: 'x'", "lỗi của chương trình",
        ),
        (
            run(Status.FAILED, "the modem is mute", "plug it in"),
            State.BAD, "probe.failed", "không đo được: the modem is mute", "once wall (plug it in)",
        ),
    ],
)  # fmt: skip
def test_each_way_a_run_can_end(given: Run, state: State, code: str, said: str, todo: str) -> None:
    """Its own line and next step, in both languages."""
    (found,) = judged(given)

    assert (found.state, found.code) == (state, code)
    assert said in found.said.vi
    assert todo in found.todo.vi
    assert bool(found.todo.vi) is bool(found.todo.en) is (state in (State.BAD, State.LACKING))
    assert not VIETNAMESE.search(found.said.en + found.todo.en)


@pytest.mark.parametrize(
    ("fields", "state", "said", "todo"),
    [
        (
            {"state": "unreadable", "why": "no right to read the rules"},
            State.LACKING, "không đọc được “Tường lửa của máy” (no right to read the rules)", "sudo",
        ),
        (
            {"state": "unreadable", "evidence": "nft: Operation not permitted (you must be root)"},
            State.LACKING, "not permitted", "sudo",
        ),
        (
            {"state": "unreadable", "state_reason": "smartctl is not installed"},
            State.NOTE, "(smartctl is not installed)", "cài smartctl",
        ),
        ({"state": "unreadable"}, State.NOTE, "không đọc được", "hatang-agent once wall"),
        ({"other": "unreadable"}, State.NOTE, "“Không có”", "hatang-agent once wall"),
    ],
)  # fmt: skip
def test_what_could_not_be_read(fields: Mapping[str, Any], state: State, said: str, todo: str) -> None:
    """A right that is missing is to be given; what tells nothing is only said."""
    ok, found = judged(run(Status.OK, facts=(Fact("wall", "", fields),)))

    assert ok.state is State.GOOD
    assert found.state is state
    assert said in found.said.vi
    assert todo in found.todo.vi


def test_reasons_are_not_judged() -> None:
    """The word in a reason, or within another word, makes nothing unreadable."""
    fields = {"state": "off", "why": "one table is unreadable", "product": "unreadables"}

    assert [one.code for one in judged(run(Status.OK, facts=(Fact("wall", "", fields),)))] == ["probe.ok"]


def test_an_administrator_is_not_told_to_become_one() -> None:
    """Who has all rights and still may not is told something else."""
    given = run(Status.OK, facts=(Fact("wall", "", {"state": "unreadable", "why": "not permitted"}),))

    assert "sudo" in judged(given)[1].todo.vi
    assert "sudo" not in judged(given, privileged=True)[1].todo.vi
    assert "sudo" not in judged(run(Status.FAILED, "no right to read /x"), privileged=True)[0].todo.vi


def reach(name: str, source: str, reached: str, **more: Any) -> Fact:
    """What a probe says of a target by a path."""
    return Fact(
        "service_reach", f"{name} {source}", {"service": name, "source": source, "reached": reached, **more}
    )


@pytest.mark.parametrize(
    ("facts", "state", "said", "todo"),
    [
        ([reach("qlvb", "eth0", "yes")], State.GOOD, "qlvb: tới được qua eth0", ""),
        (
            [reach("qlvb", "eth0", "no", step="tcp", how="refused"), reach("qlvb", "eth1", "yes")],
            State.GOOD, "qlvb: tới được qua eth1; không qua eth0 (refused)", "",
        ),
        (
            [reach("qlvb", "eth0", "no", step="tcp", how="x"), reach("qlvb", "eth1", "no", step="tls")],
            State.BAD, "qlvb: không tới được; qua eth0 (x); qua eth1 (tls)", "chứng thư",
        ),
        ([reach("qlvb", "eth0", "no", step="dns")], State.BAD, "(dns)", "DNS"),
        ([reach("qlvb", "eth0", "no", step="http", how="x")], State.BAD, "(x)", "đơn vị quản lý phần mềm"),
        ([reach("qlvb", "", "no")], State.BAD, "qlvb: không tới được", "dây mạng"),
        (
            [reach("qlvb", "eth0", "not_tested", how="no link")],
            State.LACKING, "qlvb: chưa thử được; qua eth0 (no link)", "cắm dây mạng",
        ),
        (
            [reach("qlvb", "eth0", "not_tested", how="no link"), reach("qlvb", "eth1", "no", step="tcp")],
            State.BAD, "qlvb: không tới được; qua eth1 (tcp)", "đường truyền",
        ),
    ],
)  # fmt: skip
def test_targets(facts: list[Fact], state: State, said: str, todo: str) -> None:
    """One line for each target; a path that works suffices, the others are named."""
    (found,) = [one for one in judged(run(Status.OK, facts=tuple(facts))) if one.area is Area.TARGETS]

    assert (found.state, bool(found.todo.vi)) == (state, bool(todo))
    assert said in found.said.vi
    assert todo in found.todo.vi
    assert not VIETNAMESE.search(found.said.en + found.todo.en)


@pytest.mark.parametrize(("days", "told"), [(13, True), (0, True), (14, False), (-3, False)])
def test_a_certificate_that_ends_soon(days: int, told: bool) -> None:
    """Worth a word before it has ended; after that the target is not reached anyway."""
    found = judged(run(Status.OK, facts=(reach("qlvb", "eth0", "yes", tls_days_left=days),)))

    assert ("target.certificate" in [one.code for one in found]) is told


GOOD = Finding(Area.MACHINE, State.GOOD, "a.b", Words("tốt lắm", "fine"))
NOTE = Finding(Area.TARGETS, State.NOTE, "c.d", Words("lưu ý", "note"), Words("xem", "look"))
BAD = Finding(Area.RIGHTS, State.BAD, "e.f", Words("hỏng", "broken"), Words("sửa", "mend"))
LACKING = Finding(Area.RIGHTS, State.LACKING, "g.h", Words("thiếu quyền", "no right"), Words("cấp", "give"))


@pytest.mark.parametrize(
    ("findings", "code"), [([], 0), ([GOOD], 0), ([GOOD, NOTE], 0), ([GOOD, LACKING], 1), ([BAD], 1)]
)
def test_exit_code(findings: list[Finding], code: int) -> None:
    """1 as soon as somebody has to do something."""
    assert checkup.exit_code(findings) == code
    assert checkup.plain(findings)["well"] is (code == 0)


def test_lines_for_people() -> None:
    """By area in a fixed order, each next step below its line, and how much there is to do."""
    assert list(checkup.lines([NOTE, BAD, GOOD, LACKING], "en")) == [
        "This machine",
        "  ok   fine",
        "",
        "Rights",
        "  BAD  broken",
        "       → mend",
        "  LACKS  no right",
        "       → give",
        "",
        "Networks and shared software",
        "  say  note",
        "       → look",
        "",
        "2 things to do: the lines BAD and LACKS.",
    ]
    assert "  LỖI  hỏng" in list(checkup.lines([BAD], "vi"))
    assert list(checkup.lines([GOOD], "vi"))[-1] == "Mọi thứ đều tốt."
    assert "  \x1b[31mLỖI\x1b[0m  hỏng" in list(checkup.lines([BAD], "vi", colours=True))


def test_json_for_programs() -> None:
    """Every finding with its code and both languages."""
    assert checkup.plain([BAD]) == {
        "well": False,
        "to_do": 1,
        "findings": [
            {
                "area": "rights", "state": "bad", "code": "e.f",
                "vi": "hỏng", "en": "broken", "todo_vi": "sửa", "todo_en": "mend",
            }
        ],
    }  # fmt: skip
