"""A sentence in the two languages of the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["vi", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("vi", "en")


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence, or part of one, in Vietnamese and in English."""

    vi: str
    en: str

    def of(self, language: Language) -> str:
        """The sentence in a language."""
        return self.vi if language == "vi" else self.en


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Something in a file that a person has to look at: place, cause and next step.

    ``sheet`` is the name on the tab ('' for CSV), ``row`` counts from 1 (0: the sheet as a whole),
    ``column`` is the heading ('' for the row as a whole).
    """

    file: str
    sheet: str
    row: int
    column: str
    cause: Said
    next_step: Said

    def place(self, language: Language) -> str:
        """Where it is: ``file.xlsx, sheet “Tài sản”, row 12, column “Năm”``."""
        vi = language == "vi"
        parts = [self.file]
        if self.sheet:
            parts.append(f"{'trang' if vi else 'sheet'} “{self.sheet}”")
        if self.row:
            parts.append(f"{'dòng' if vi else 'row'} {self.row}")
        if self.column:
            parts.append(f"{'cột' if vi else 'column'} “{self.column}”")
        return ", ".join(parts)

    def line(self, language: Language) -> str:
        """All of it in one line."""
        return f"{self.place(language)}: {self.cause.of(language)}; {self.next_step.of(language)}"


class Refused(Exception):  # noqa: N818 - what a person is told, not a programming error
    """A value, a sheet or a file that cannot be taken; the place is added by who reads it."""

    def __init__(self, cause: Said, next_step: Said) -> None:
        super().__init__(f"{cause.en}; {next_step.en}")
        self.cause = cause
        self.next_step = next_step

    def at(self, file: str, sheet: str = "", row: int = 0, column: str = "") -> RowProblem:
        """The problem with its place."""
        return RowProblem(file, sheet, row, column, self.cause, self.next_step)
