"""Files that pages hand out: CSV for a Vietnamese Excel, and the headers that make a browser keep them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import Response

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BOM: Final = "\ufeff"
"""Without it Excel takes UTF-8 for the code page of the machine."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows for a spreadsheet. A cell that it would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(
        [_safe(cell) for cell in row] for row in rows
    )
    return out.getvalue()


def download(content: bytes, kind: str, name: str) -> Response:
    """A file for the browser to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=kind, headers=headers)


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
