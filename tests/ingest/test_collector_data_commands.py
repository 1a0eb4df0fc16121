"""The commands ``replay`` and ``deadletters`` on a real data folder."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hatang_agent.wire import codec, topics
from hatang_collector import clock
from hatang_collector.__main__ import main
from hatang_collector.app import Data, open_data
from hatang_collector.ingest import decode
from hatang_collector.ingest.pipeline import Pipeline
from hatang_collector.ingest.plan import Incoming
from hatang_collector.journal.projection import Advance
from hatang_collector.journal.segments import Entry
from hatang_collector.ledger import machines, receipts
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.projection import LedgerProjection
from hatang_collector.metrics import Metrics
from hatang_collector.registry import Registry
from ingest.ingest_support import NOW_MS, PC, STRANGER, birth, changed, message, sealed


def arguments(folder: Path) -> argparse.Namespace:
    """What the parser would give."""
    return argparse.Namespace(data=folder, config=None)


def enrol(data: Data, agent: str) -> None:
    """Make an agent known."""
    with data.ledger.write() as c:
        machines.add(c, Machine(agent, f"máy {agent[:2]}", "", "pc", NOW_MS))


def project(data: Data) -> None:
    """Run every projection to the end."""
    for projection in data.projections:
        advance = Advance(data.journal, projection, data.deadletters, Metrics(), clock.now_ms)
        for stream in data.journal.streams:
            while advance.step(stream):
                pass


def figures(data: Data) -> tuple[object, object]:
    """What the projections hold: receipts, and count and sum of every series."""
    with data.ledger.read() as c:
        return receipts.totals(c), data.store.totals()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with good reports, and letters of a future schema, broken JSON and a stranger."""
    now_ms = clock.now_ms()
    with open_data(arguments(tmp_path)) as data:
        enrol(data, PC)
        pipeline = Pipeline(data.journal, data.deadletters, Registry(data.ledger).stream)
        batch = [birth(1_000, at_ms=now_ms)]
        batch += [message(sealed(seq), at_ms=now_ms) for seq in range(1, 41)]
        batch += [
            message(changed(schema=2, seq=99), at_ms=now_ms),
            message(b"{broken", at_ms=now_ms),
            message(sealed(1, agent=STRANGER), agent=STRANGER, at_ms=now_ms),
        ]
        pipeline.take(batch)
        project(data)
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Exit code and everything printed."""
    code = main(list(argv))
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_replay_gives_the_same_figures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Emptied and rebuilt, every projection holds what it held: counts and sums."""
    with open_data(arguments(folder)) as data:
        before = figures(data)
    code, printed = call(capsys, "replay", "--all", "--data", str(folder))
    assert code == 0
    assert "ledger: 42 entries applied, 0 of them set aside" in printed
    with open_data(arguments(folder)) as data:
        assert figures(data) == before
        assert before[0].reports == 40  # type: ignore[attr-defined]
        assert {name for name, _ in before[1].items()} == {"usage.cpu_percent"}  # type: ignore[attr-defined]


def test_replay_wants_one_name_or_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else is a usage error that lists the names."""
    for argv in ((), ("nothing",), ("ledger", "--all")):
        code, printed = call(capsys, "replay", *argv, "--data", str(folder))
        assert (code, printed.strip()) == (
            2,
            "hatang-collector replay: name one of ledger, series, rollup, or --all",
        )


def test_replay_while_a_collector_runs_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is locked: the message says by whom and what to do."""
    with open_data(arguments(folder)):
        code, printed = call(capsys, "replay", "--all", "--data", str(folder))
    assert code == 1
    assert "in use by another collector" in printed
    assert printed.count("\n") == 1


def test_letters_are_listed_shown_and_exported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also while a collector holds the folder; each with its reason, and its bytes in full."""
    with open_data(arguments(folder)):
        code, printed = call(capsys, "deadletters", "list", "--data", str(folder))
        assert code == 0
        for reason in ("future_schema", "not_json", "unknown_agent"):
            assert reason in printed
        assert "3 open letters" in printed
        code, printed = call(capsys, "deadletters", "show", "2", "--data", str(folder))
        assert code == 0
        assert "{broken" in printed
        assert topics.report(PC) in printed
        assert call(capsys, "deadletters", "show", "77", "--data", str(folder))[0] == 1
    target = folder / "letters.jsonl"
    code, printed = call(
        capsys, "deadletters", "export", str(target), "--reason", "not_json", "--data", str(folder)
    )
    assert (code, printed.strip()) == (0, f"1 letters in {target}")
    assert json.loads(target.read_text(encoding="utf-8"))["reason"] == "not_json"


def test_a_future_schema_is_taken_in_once_the_decoder_knows_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the upgrade the letter stays; after it the report is journaled and projected, once."""
    retry = ("deadletters", "retry", "--reason", "future_schema", "--data", str(folder))
    code, printed = call(capsys, *retry)
    assert code == 0
    assert "still refused: future_schema: schema 2" in printed
    monkeypatch.setattr(codec, "SCHEMA", 2)
    monkeypatch.setattr(decode, "SCHEMA", 2)
    monkeypatch.setattr(decode, "_recent", decode._Recent())
    assert call(capsys, *retry)[1].strip() == "1 letters taken in, 0 still refused"
    assert call(capsys, *retry)[1].strip() == "0 letters taken in, 0 still refused"
    with open_data(arguments(folder)) as data:
        newest = data.journal.stream("pc").read(0, 100)[-1]
        assert newest.payload == changed(schema=2, seq=99)
        project(data)
        assert figures(data)[0].reports == 41  # type: ignore[attr-defined]
        assert [letter.reason for letter in data.deadletters.letters()] == ["not_json", "unknown_agent"]


def test_a_stranger_enrolled_later_is_taken_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reports refused for an unknown agent are not lost by a late enrolment."""
    with open_data(arguments(folder)) as data:
        enrol(data, STRANGER)
    code, printed = call(capsys, "deadletters", "retry", "--data", str(folder))
    assert code == 0
    assert "1 letters taken in, 2 still refused" in printed
    with open_data(arguments(folder)) as data:
        assert data.journal.stream("pc").read(0, 100)[-1].agent == STRANGER


def test_chosen_letters_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids choose letters; those that are no open letters are named. Deleting is for good."""
    code, printed = call(capsys, "deadletters", "retry", "2", "55", "--data", str(folder))
    assert code == 0
    assert "2 still refused: not_json" in printed
    assert "55 is not an open letter" in printed
    assert call(capsys, "deadletters", "delete", "2", "--data", str(folder)) == (0, "1 letters deleted\n")
    assert "2 open letters" in call(capsys, "deadletters", "list", "--data", str(folder))[1]


def test_an_entry_a_projection_failed_on_is_taken_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in a projection costs a letter; after the upgrade, retry applies that entry alone."""
    apply = LedgerProjection.apply

    def broken(self: LedgerProjection, stream: str, entries: Sequence[Entry], next_index: int) -> None:
        if any(one.kind == "report" and one.header["seq"] == 7 for one in entries):
            raise ZeroDivisionError
        apply(self, stream, entries, next_index)

    with monkeypatch.context() as upgraded:
        upgraded.setattr(LedgerProjection, "apply", broken)
        code, printed = call(capsys, "replay", "ledger", "--data", str(folder))
        assert code == 1
        assert "ledger: 42 entries applied, 1 of them set aside as dead letters" in printed
    with open_data(arguments(folder)) as data:
        assert figures(data)[0].reports == 39  # type: ignore[attr-defined]
    arguments_ = ("deadletters", "retry", "--reason", "projection_failed", "--data", str(folder))
    assert "1 letters taken in, 0 still refused" in call(capsys, *arguments_)[1]
    with open_data(arguments(folder)) as data:
        assert figures(data)[0].reports == 40  # type: ignore[attr-defined]


def test_only_whole_bytes_are_taken_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A letter of which only the beginning was kept is never journaled as if it were whole."""
    with open_data(arguments(folder)) as data:
        incoming = Incoming(topics.report(PC), b" " * 20_000_000, False, NOW_MS)
        Pipeline(data.journal, data.deadletters, Registry(data.ledger).stream).take([incoming])
    code, printed = call(capsys, "deadletters", "retry", "--reason", "too_large", "--data", str(folder))
    assert code == 0
    assert "still refused: only a part of its bytes was kept" in printed
