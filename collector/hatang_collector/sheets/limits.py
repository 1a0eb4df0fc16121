"""How much of a file is taken. A register of a province fits; a bomb and a wrong file do not."""

from __future__ import annotations

from typing import Final

from hatang_collector.sheets.said import Refused, Said

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
MAX_PARTS: Final = 2_000
MAX_ROWS: Final = 50_000
MAX_CELLS_IN_ROW: Final = 16_384


def too_large() -> Refused:
    """The file, or what it unpacks to, is too much."""
    megabytes = MAX_UNPACKED_BYTES // (1024 * 1024)
    return Refused(
        Said(
            f"quá lớn: nhiều nhất {megabytes} MB sau khi giải nén",
            f"is too large: at most {megabytes} MB unpacked",
        ),
        Said(
            "bỏ hình ảnh, trang thừa hoặc chia thành nhiều tệp",
            "remove pictures and other sheets, or split it",
        ),
    )


def too_many_rows(title: str) -> Refused:
    """A sheet ('' for a CSV file) has more rows than are taken."""
    rows = f"{MAX_ROWS:,}"
    vi, en = (f"trang “{title}” ", f"the sheet “{title}” ") if title else ("", "")
    return Refused(
        Said(f"{vi}có hơn {rows.replace(',', '.')} dòng", f"{en}has more than {rows} rows"),
        Said("chia thành nhiều tệp", "split it into several files"),
    )
