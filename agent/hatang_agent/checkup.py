"""What a check-up found: lines in Vietnamese and English, what to do next, and the exit code. Pure.

:mod:`.checkup_machine`, :mod:`.checkup_probes` and :mod:`.checkup_collector` find things out,
``hatang-agent doctor`` prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any, Final


class State(StrEnum):
    """How a thing is. ``lacking`` is a right that is missing: the rest works without it."""

    GOOD = "good"
    NOTE = "note"
    LACKING = "lacking"
    BAD = "bad"


class Area(StrEnum):
    """What a line is about, in the order in which a person goes through them."""

    MACHINE = "machine"
    RIGHTS = "rights"
    PROBES = "probes"
    COLLECTOR = "collector"
    TARGETS = "targets"


@dataclass(frozen=True, slots=True)
class Words:
    """One text in both languages."""

    vi: str = ""
    en: str = ""

    def of(self, lang: str) -> str:
        """The text in ``vi`` or ``en``."""
        return self.vi if lang == "vi" else self.en


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and the next step where something is to be done.

    ``code`` names the kind of finding for programs and never changes with the language.
    """

    area: Area
    state: State
    code: str
    said: Words
    todo: Words = Words()

    @property
    def to_do(self) -> bool:
        """Whether somebody has to do something about it."""
        return self.state in (State.BAD, State.LACKING)


MARKS: Final = {
    State.GOOD: Words("tốt", "ok "),
    State.NOTE: Words("ghi", "say"),
    State.LACKING: Words("THIẾU", "LACKS"),
    State.BAD: Words("LỖI", "BAD"),
}
COLOURS: Final = {State.GOOD: "32", State.NOTE: "36", State.LACKING: "33", State.BAD: "31"}
HEADS: Final = {
    Area.MACHINE: Words("Máy này", "This machine"),
    Area.RIGHTS: Words("Quyền", "Rights"),
    Area.PROBES: Words("Các phép đo", "Probes"),
    Area.COLLECTOR: Words("Bộ thu", "Collector"),
    Area.TARGETS: Words("Mạng và phần mềm dùng chung", "Networks and shared software"),
}


def exit_code(findings: Iterable[Finding]) -> int:
    """0 when all is well, 1 when something is to be done."""
    return int(any(one.to_do for one in findings))


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by area; within one in the order in which they were given."""
    places = list(Area)
    return sorted(findings, key=lambda one: places.index(one.area))


def lines(findings: Sequence[Finding], lang: str, *, colours: bool = False) -> Iterator[str]:
    """The check-up for people: by area, each next step under its line, and a summary."""
    for area, group in groupby(ordered(findings), key=lambda one: one.area):
        yield HEADS[area].of(lang)
        for one in group:
            mark = MARKS[one.state].of(lang)
            if colours:
                mark = f"\x1b[{COLOURS[one.state]}m{mark}\x1b[0m"
            yield f"  {mark}  {one.said.of(lang)}"
            if one.todo.of(lang):
                yield f"       → {one.todo.of(lang)}"
        yield ""
    yield summary(findings).of(lang)


def summary(findings: Iterable[Finding]) -> Words:
    """The last line."""
    count = sum(one.to_do for one in findings)
    if not count:
        return Words("Mọi thứ đều tốt.", "All is well.")
    things = "One thing" if count == 1 else f"{count} things"
    return Words(
        f"Có {count} việc cần làm: các dòng {MARKS[State.BAD].vi} và {MARKS[State.LACKING].vi}.",
        f"{things} to do: the lines {MARKS[State.BAD].en} and {MARKS[State.LACKING].en}.",
    )


def plain(findings: Sequence[Finding]) -> dict[str, Any]:
    """The check-up for programs: every finding in both languages."""
    return {
        "well": not exit_code(findings),
        "to_do": sum(one.to_do for one in findings),
        "findings": [
            {
                "area": str(one.area),
                "state": str(one.state),
                "code": one.code,
                "vi": one.said.vi,
                "en": one.said.en,
                "todo_vi": one.todo.vi,
                "todo_en": one.todo.en,
            }
            for one in ordered(findings)
        ],
    }
