"""``hatang-collector add-office``: questions on a real terminal, options for scripts, arrivals watched."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hatang_collector.__main__ import main
from hatang_collector.commands import add_office
from hatang_collector.domain.estate import Estate, LinkKind, Placement, Site, StaffGroup, Unit
from hatang_collector.ledger import audit, machines, placements, tokens
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.states import StateBook
from hatang_collector.offices import asking
from hatang_collector.web.i18n import texts
from support.stack import environment, now_ms
from support.wait import until

TODAY = date(2026, 11, 20)
Command = Callable[..., tuple[int, str, str]]
SCRIPT = (
    "--new-unit=UBND xã Khe Tre",
    "--code=20161",
    "--link=cpnet,VNPT,20,20",
    "--link=lte,Viettel,,,metered,secondary",
    "--pcs=cbcc=12",
    "--pcs=chung=2",
    "--yes",
)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command on a data folder of this test: (exit code, output, errors)."""

    def run(*rest: str) -> tuple[int, str, str]:
        code = main(["add-office", "--data", str(tmp_path), *rest])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    """The ledger the command uses."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    yield ledger
    ledger.close()


def estate(ledger: Ledger) -> Estate:
    """All that is declared."""
    with ledger.read() as c:
        return estates.load(c)


def test_a_script_adds_an_office(command: Command, book: Ledger) -> None:
    """Everything by options; the answer has site, tokens and lines, and the log says who it was."""
    code, out, err = command(*SCRIPT, "--json")
    told: dict[str, Any] = json.loads(out)
    assert (code, err) == (0, "")
    assert (told["site"], told["unit"], told["site_name"]) == ("20161", "20161", "UBND xã Khe Tre")
    probe, pcs = told["tokens"]
    assert (probe["role"], probe["uses"], pcs["role"], pcs["uses"]) == ("probe", 1, "pc", 14)
    assert [part["staff_group"] for part in pcs["lines"]] == ["cbcc", "chung"]
    line = pcs["lines"][1]["lines"]["windows"]
    assert line.startswith("msiexec /i hatang-agent-")
    assert line.endswith(f" URL={told['url']} PIN={told['pin']} TOKEN={pcs['token']} STAFFGROUP=chung")
    links = {(one.kind, one.provider, one.essential, one.metered) for one in estate(book).links}
    assert links == {
        (LinkKind.CPNET, "VNPT", True, False),
        (LinkKind.LTE, "Viettel", False, True),
    }
    with book.read() as c:
        assert {one.who for one in audit.latest(c)} == {audit.COMMAND_LINE}


def test_the_text_has_every_line_to_copy(command: Command) -> None:
    """For people: the tokens' lines, the deadline and the warning that this is the only time."""
    code, out, _ = command(*SCRIPT, "--language", "en")
    assert code == 0
    assert out.count("hatang-agent enroll ") == 3
    assert out.count("msiexec /i ") == 2
    assert "shown this once" in out


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (("--yes", "--language", "en"), "unit: Choose a unit."),
        (("--yes", "--new-unit", "A", "--days", "0"), "days: Ghi một số từ 1 đến 365."),
        (("--yes", "--new-unit", "A", "--link", "dsl"), "link1_kind: Không có loại đường “dsl”."),
        (("--yes", "--new-unit", "A", "--pcs", "nobody=3"), "--pcs nobody=3: write GROUP=N"),
        (("--yes", "--new-unit", "A", "--pcs", "cbcc"), "--pcs cbcc: write GROUP=N"),
        (("--yes", "--new-unit", "A", *("--link=ftth",) * 5), "--link is given 5 times"),
        (("--new-unit", "A"), "there is no terminal to ask on"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    command: Command, book: Ledger, rest: tuple[str, ...], told: str
) -> None:
    """Place, cause and next step on standard error; exit code 1."""
    code, out, err = command(*rest)
    assert (code, out) == (1, "")
    assert told in err
    assert len(err.splitlines()) == 1
    assert estate(book).sites == ()


def test_the_same_office_twice_is_refused(command: Command, book: Ledger) -> None:
    """In words, with the next step."""
    command(*SCRIPT)
    code, _, err = command(*SCRIPT)
    assert code == 1
    assert "Đã có trụ sở tên “UBND xã Khe Tre”" in err
    assert len(estate(book).sites) == 1


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own, self._theirs = pty.openpty()
        os.set_blocking(self._own, False)
        self._process: subprocess.Popen[bytes] | None = None
        self._answered = 0
        self.text = ""

    def start(self, *rest: str) -> None:
        """Start it."""
        argv = [sys.executable, "-m", "hatang_collector", "add-office", "--data", str(self._folder), *rest]
        end = self._theirs
        self._process = subprocess.Popen(
            argv, stdin=end, stdout=end, stderr=end, env=environment(), start_new_session=True
        )

    def _asked(self, question: str) -> bool:
        with suppress(BlockingIOError):
            while data := os.read(self._own, 65536):
                self.text += data.decode(errors="replace")
        return question in self.text[self._answered :] and self.text.endswith(": ")

    def wait_for(self, question: str) -> None:
        """Wait until it asks that."""
        until(lambda: self._asked(question), 30, f"the question {question!r}")
        self._answered = len(self.text)

    def answer(self, question: str, answer: str) -> None:
        """Wait for a question and type the answer."""
        self.wait_for(question)
        self.type(f"{answer}\n")

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._own, text.encode())

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> int:
        """Its exit code."""
        assert self._process is not None
        code = self._process.wait(30)
        self._asked("")
        return code

    def close(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        os.close(self._own)
        os.close(self._theirs)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal; the command is not started yet."""
    made = Terminal(tmp_path)
    yield made
    made.close()


def test_questions_on_a_terminal(terminal: Terminal, book: Ledger) -> None:
    """Defaults in brackets, a bad answer asked again, nothing written before the last yes."""
    terminal.start()
    terminal.answer("Tên đơn vị", "UBND xã Khe Tre")
    terminal.answer("Mã đơn vị [ubnd-xa-khe-tre]", "20161")
    terminal.answer("Tên trụ sở [UBND xã Khe Tre]", "")
    terminal.answer("Địa chỉ", "Thôn 1")
    terminal.answer("Giờ làm việc [T2-T6 07:30-11:30 13:30-17:00]", "T2-T9")
    terminal.answer("✕ Không đọc được “t2-t9”", "")
    terminal.answer("Đường 1", "ftth")
    terminal.answer("Nhà cung cấp", "Viettel")
    terminal.answer("Tải xuống", "150")
    terminal.answer("Tải lên", "")
    terminal.answer("thiết yếu", "")
    terminal.answer("tính tiền", "k")
    terminal.answer("Đường 2", "")
    terminal.answer("Trạm đo", "")
    terminal.answer("Cán bộ, công chức [0]", "3")
    terminal.answer("Viên chức [0]", "")
    terminal.answer("không chuyên trách [0]", "")
    terminal.answer("Dùng chung", "")
    terminal.answer("Mã ghi danh dùng được (ngày) [14]", "7")
    assert estate(book).sites == ()
    terminal.answer("Ghi vào sổ (có/không) [không]", "có")
    assert terminal.end() == 0, terminal.text
    assert "hatang-agent enroll --url" in terminal.text
    found = estate(book)
    assert [(one.code, one.address) for one in found.sites] == [("20161", "Thôn 1")]
    assert [(one.provider, one.down_mbps, one.up_mbps) for one in found.links] == [("Viettel", 150.0, None)]
    with book.read() as c:
        assert {(one.role, one.uses, one.staff_group) for one in tokens.every(c)} == {
            ("probe", 1, ""),
            ("pc", 3, "cbcc"),
        }


@pytest.mark.parametrize(("how", "expected"), [("ctrl-c", 130), ("ctrl-d", 1), ("no", 1)])
def test_leaving_early_writes_nothing(terminal: Terminal, book: Ledger, how: str, expected: int) -> None:
    """Ctrl-C, Ctrl-D and a no leave everything as it was."""
    options = ("--new-unit=A", "--code=a", "--site-name=A", "--address=x", "--hours=T2 07:00-11:00")
    terminal.start(*options, "--link=ftth", "--pcs=cbcc=1", "--probe", "--days=3")
    terminal.wait_for("Ghi vào sổ")
    if how == "ctrl-c":
        terminal.interrupt()
    else:
        terminal.type("\x04" if how == "ctrl-d" else "\n")
    assert terminal.end() == expected
    assert estate(book).sites == ()
    assert "Traceback" not in terminal.text
    with book.read() as c:
        assert tokens.every(c) == []


def test_arrivals_are_watched_until_everybody_is_here(
    command: Command, book: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each stage of each machine is told once; the end comes by itself."""
    told = json.loads(command(*SCRIPT[:2], "--pcs=cbcc=1", "--no-probe", "--yes", "--json")[1])
    (token,) = told["tokens"]
    agent = "a" * 16

    def come() -> None:
        with book.write() as c:
            claimed = tokens.claim(c, token["token"], now_ms())
            assert isinstance(claimed, tokens.EnrolToken)
            machines.add(c, Machine(agent, "Kế toán 1", "", "pc", now_ms()))
            placements.put(c, Placement(agent, now_ms(), claimed.unit, claimed.site, "cbcc", "enrolment"))

    def report() -> None:
        with book.write() as c:
            states = StateBook(c, {agent})
            states.reported(agent, now_ms(), now_ms())
            states.flush()

    steps = iter((come, lambda: None, report))
    add_office._watch(book, "20161", texts("vi"), as_json=True, pause=lambda _s: next(steps)())
    shown = capsys.readouterr()
    assert [json.loads(line)["stage"] for line in shown.out.splitlines()] == ["enrolled", "reporting"]
    assert "Mọi máy được mời đã tới" in shown.err
    assert next(steps, None) is None


class Script:
    """Answers in order, in place of a person."""

    def __init__(self, *answers: str) -> None:
        self.answers = iter(answers)
        self.asked: list[str] = []
        self.said: list[str] = []

    def terminal(self) -> asking.Terminal:
        """What the questions are put to."""
        return asking.Terminal(self._ask, self.said.append, texts("vi"))

    def _ask(self, question: str) -> str:
        self.asked.append(question)
        return next(self.answers)


ESTATE = Estate(
    units=(Unit("46", "Thành phố Huế"), Unit("20161", "Xã Khe Tre", parent="46")),
    sites=(Site("20161", "Xã Khe Tre"),),
    staff_groups=(StaffGroup("cbcc", "Cán bộ, công chức"),),
)


def test_a_known_unit_is_asked_for_first() -> None:
    """Typed without marks; a name that is taken is asked again; nothing more is asked than is needed."""
    script = Script("", "bỉm sơn", "khe tre", "", "Trạm y tế", "", "", "", "k", "4", "")
    request = asking.Questions(script.terminal(), ESTATE, TODAY, {}).office()
    assert (request.unit, request.new_unit, request.site_name) == ("20161", None, "Trạm y tế")
    assert (request.wanted.machines, request.wanted.probe, request.links) == ({"cbcc": 4}, False, ())
    assert [said.strip()[:2] for said in script.said[:2]] == ["✕ ", "✕ "]
    assert next(script.answers, None) is None


def test_what_options_gave_is_asked_only_when_it_is_wrong() -> None:
    """A bad option is told and asked for; the others are believed."""
    given = {
        "unit_how": "new",
        "unit_name": "Phòng A",
        "unit_code": "46",
        "unit_parent": "46",
        "site_name": "Phòng A",
        "address": "",
        "hours": "T2 07:00-11:00",
        "link1_kind": "ftth",
        "pcs_cbcc": "1",
        "probe": "",
        "days": "3",
    }
    script = Script("46-a")
    request = asking.Questions(script.terminal(), ESTATE, TODAY, given).office()
    assert request.unit == "46-a"
    assert "Mã này đã là của “Thành phố Huế”" in script.said[0]
    assert len(script.asked) == 1


def test_links_are_asked_until_one_is_left_empty() -> None:
    """Four at most; yes and no as people write them."""
    one = ("ftth", "FPT", "100", "", "x", "không", "c")
    script = Script("c", "46", "", "", "", *one, *one, *one, *one, "", "", "")
    request = asking.Questions(script.terminal(), ESTATE, TODAY, {}).office()
    assert len(request.links) == 4
    assert {(link.essential, link.metered) for link in request.links} == {(False, True)}
    assert next(script.answers, None) is None
