"""The file layer's contract, on a real disk and on the one that forgets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatang_collector.journal.files import DiskFiles, Files
from hatang_collector.journal.projection import FileCursors
from hatang_collector.journal.segments import Entry, JournalDamaged, NewEntry, SegmentJournal
from support.forgetful import ForgetfulFiles, PowerCut

DAY_MS = 86_400_000


@pytest.fixture(params=["disk", "forgetful"])
def files(request: pytest.FixtureRequest) -> Files:
    """Each file layer in turn."""
    return DiskFiles() if request.param == "disk" else ForgetfulFiles()


@pytest.fixture
def folder(files: Files, tmp_path: Path) -> Path:
    """A folder on it."""
    made = tmp_path / "a" / "b"
    files.make_directory(made)
    return made


def entry(number: int, size: int = 10, at_ms: int = DAY_MS) -> NewEntry:
    """An entry that differs by number."""
    return NewEntry("report", f"agent{number}", at_ms, {"seq": number}, bytes([number % 256]) * size)


def test_appended_bytes_are_read_back(files: Files, folder: Path) -> None:
    """What is written at the end is there, from any offset, also after opening again."""
    file = files.open_append(folder / "x")
    file.write(b"abc")
    file.fsync()
    file.close()
    again = files.open_append(folder / "x")
    assert again.size == 3
    again.write(b"def")
    again.fsync()
    again.close()
    files.sync_directory(folder)
    assert files.read(folder / "x") == b"abcdef"
    assert files.read(folder / "x", 2, 3) == b"cde"
    assert files.read(folder / "x", 4, 100) == b"ef"
    assert files.size(folder / "x") == 6


def test_replace_truncate_unlink_list(files: Files, folder: Path) -> None:
    """Names and contents change as asked; removing what is not there is no error."""
    files.replace(folder / "c", b"one")
    files.replace(folder / "c", b"two")
    files.replace(folder / "a", b"12345")
    files.truncate(folder / "a", 2)
    assert files.list(folder) == ["a", "c"]
    assert files.read(folder / "a") + files.read(folder / "c") == b"12two"
    files.unlink(folder / "a")
    files.unlink(folder / "a")
    assert files.list(folder) == ["c"]
    assert files.list(folder / "nowhere") == []
    with pytest.raises(FileNotFoundError):
        files.read(folder / "a")


@pytest.mark.parametrize("step", range(1, 8))
def test_a_replaced_file_is_old_or_new_after_a_crash(step: int) -> None:
    """A cursor file is never empty, mixed or gone, wherever the power was cut."""
    files, path = ForgetfulFiles(), Path("/data/cursors/series")
    cursors = FileCursors(files, path)
    cursors.set("pc", 41)
    files.cut_after(step)
    cut = False
    try:
        cursors.set("pc", 42)
    except PowerCut:
        cut = True
    files.crash()
    assert FileCursors(files, path).get("pc") in ({41, 42} if cut else {42})


def test_cursors_survive(files: Files, folder: Path) -> None:
    """A cursor set is the cursor found by the next process; reset puts all of them to 0."""
    cursors = FileCursors(files, folder / "new" / "cursors.json")
    assert cursors.get("pc") == 0
    cursors.set("pc", 7)
    cursors.set("probe", 9)
    again = FileCursors(files, folder / "new" / "cursors.json")
    assert (again.get("pc"), again.get("probe")) == (7, 9)
    again.reset()
    assert FileCursors(files, folder / "new" / "cursors.json").get("probe") == 0


def test_entries_come_back_in_order(files: Files, folder: Path) -> None:
    """Every entry is read as written, over segment borders, in pieces of any size, also by a new process."""
    journal = SegmentJournal(files, folder, max_segment_bytes=500)
    written = [entry(n, size=n * 7) for n in range(40)]
    assert journal.append(written[:1]) == 0
    for at in range(1, 40, 3):
        assert journal.append(written[at : at + 3]) == at
    journal.close()
    reopened = SegmentJournal(files, folder, max_segment_bytes=500)
    for opened in (journal, reopened):
        for limit in (1, 2, 7, 100):
            found: list[Entry] = []
            while entries := opened.read(len(found), limit):
                assert len(entries) <= limit
                found += entries
            assert [(one.agent, one.payload, one.header["seq"]) for one in found] == [
                (one.agent, one.payload, one.header["seq"]) for one in written
            ]
            assert [one.index for one in found] == list(range(40))
    assert len(files.list(folder)) > 3
    reopened.close()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=60),
    starts=st.lists(st.integers(0, 70), max_size=8),
)
def test_reading_from_anywhere(sizes: list[int], starts: list[int]) -> None:
    """Reading from any index gives the entries from there, whatever was read before."""
    journal = SegmentJournal(ForgetfulFiles(), Path("/j"), max_segment_bytes=700)
    for number, size in enumerate(sizes):
        journal.append([entry(number, size)])
    for start in starts:
        expected = list(range(start, min(start + 5, len(sizes))))
        found: list[int] = []
        while len(found) < 5 and (entries := journal.read(start + len(found), 5 - len(found))):
            found += [one.index for one in entries]
        assert found == expected


def test_a_new_day_begins_a_new_segment(files: Files, folder: Path) -> None:
    """Segments are a day at most, so that retention can drop them whole."""
    journal = SegmentJournal(files, folder)
    journal.append([entry(0, at_ms=DAY_MS)])
    journal.append([entry(1, at_ms=2 * DAY_MS - 1)])
    journal.append([entry(2, at_ms=2 * DAY_MS)])
    assert files.list(folder) == [f"{0:020d}.log", f"{2:020d}.log"]
    journal.close()


def test_retention_drops_whole_old_segments(files: Files, folder: Path) -> None:
    """Old segments go, reading goes on at the first one kept, and indexes are not used again."""
    journal = SegmentJournal(files, folder)
    for day in range(1, 6):
        journal.append([entry(day, at_ms=day * DAY_MS), entry(day, at_ms=day * DAY_MS + 5)])
    assert journal.index_at(3 * DAY_MS) == 4
    assert journal.index_at(99 * DAY_MS) == 10
    assert journal.index_at(0) == 0
    assert journal.retain(3 * DAY_MS + 5) == [f"{0:020d}.log", f"{2:020d}.log"]
    assert journal.first == 4
    assert journal.retain(99 * DAY_MS, needed_from=5) == []
    assert [one.index for one in journal.read(0, 3)] == [4, 5]
    assert journal.retain(99 * DAY_MS) == [f"{4:020d}.log", f"{6:020d}.log"]
    journal.close()
    again = SegmentJournal(files, folder)
    assert (again.first, again.end) == (8, 10)
    assert again.append([entry(9, at_ms=6 * DAY_MS)]) == 10
    again.close()


def test_a_torn_tail_is_kept_beside_and_cut_off(files: Files, folder: Path) -> None:
    """Half an append is no reason to refuse the journal, and its bytes are not thrown away."""
    journal = SegmentJournal(files, folder)
    journal.append([entry(1)])
    journal.append([entry(2)])
    journal.close()
    path = folder / f"{0:020d}.log"
    whole = files.read(path)
    files.truncate(path, len(whole) - 5)
    again = SegmentJournal(files, folder)
    assert again.end == 1
    torn = [name for name in files.list(folder) if name.endswith(".torn")]
    assert len(torn) == 1
    assert whole.endswith(files.read(folder / torn[0]) + whole[-5:])
    assert again.append([entry(3)]) == 1
    assert [one.header["seq"] for one in again.read(0, 9)] == [1, 3]
    again.close()


def _damaged_in_the_middle() -> tuple[ForgetfulFiles, Path, int]:
    files, folder = ForgetfulFiles(), Path("/j")
    journal = SegmentJournal(files, folder)
    journal.append([entry(1), entry(2)])
    offset = journal.size
    journal.append([entry(3), entry(4)])
    journal.append([entry(5)])
    files.damage(folder / f"{0:020d}.log", offset + 60, b"\xff\xff\xff")
    return files, folder, offset


def test_damage_in_the_middle_is_refused_with_place_and_next_step() -> None:
    """Acked entries that cannot be read stop the start, with the file, the byte and a way to go on."""
    files, folder, offset = _damaged_in_the_middle()
    with pytest.raises(JournalDamaged) as caught:
        SegmentJournal(files, folder)
    assert (caught.value.path, caught.value.offset) == (folder / f"{0:020d}.log", offset)
    assert f"touch '{folder}/{0:020d}.log.skip-{offset}'" in str(caught.value)
    assert f"byte {offset}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damage_is_stepped_over_only_when_told_to() -> None:
    """With the file a person made, everything else is read, under the same indexes; the bytes stay."""
    files, folder, offset = _damaged_in_the_middle()
    before = files.read(folder / f"{0:020d}.log")
    files.replace(folder / f"{0:020d}.log.skip-{offset}", b"")
    journal = SegmentJournal(files, folder)
    assert [one.index for one in journal.read(0, 9)] == [0, 1, 4]
    assert [one.index for one in journal.read(2, 1)] == [4]
    assert files.read(folder / f"{0:020d}.log") == before
    assert journal.append([entry(6)]) == 5


def test_damage_in_an_older_segment_is_told_when_it_is_read() -> None:
    """A closed segment is not walked at the start; its damage stops the reader, not the append."""
    files, folder = ForgetfulFiles(), Path("/j")
    journal = SegmentJournal(files, folder)
    for day in (1, 2, 3):
        journal.append([entry(day, at_ms=day * DAY_MS)])
    path = folder / f"{1:020d}.log"
    files.damage(path, 10, b"\0\0\0\0")
    again = SegmentJournal(files, folder)
    assert again.append([entry(4, at_ms=3 * DAY_MS)]) == 3
    assert [one.index for one in again.read(0, 9)] == [0]
    with pytest.raises(JournalDamaged, match="byte 0"):
        again.read(1, 9)
    files.replace(folder / f"{path.name}.skip-0", b"")
    assert [one.index for one in again.read(1, 9)] == [2, 3]


def test_a_missing_segment_is_damage() -> None:
    """A file that vanished from the middle is never passed over in silence."""
    files, folder = ForgetfulFiles(), Path("/j")
    journal = SegmentJournal(files, folder)
    for day in (1, 2, 3):
        journal.append([entry(day, at_ms=day * DAY_MS)])
    files.unlink(folder / f"{1:020d}.log")
    again = SegmentJournal(files, folder)
    assert [one.index for one in again.read(0, 9)] == [0]
    with pytest.raises(JournalDamaged, match="entries 1 to 1 are missing"):
        again.read(1, 9)


def test_large_appends_are_split_into_frames(files: Files, folder: Path) -> None:
    """An append far above the size of a frame comes back whole, and readers are given bounded pieces."""
    journal = SegmentJournal(files, folder)
    journal.append([entry(n, size=700_000) for n in range(20)])
    found = 0
    while entries := journal.read(found, 100):
        assert sum(len(one.payload) for one in entries) <= 9_000_000
        found += len(entries)
    assert found == 20
    journal.close()
