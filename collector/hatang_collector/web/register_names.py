"""Which register a page is about, and how much of it is shown at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from hatang_collector.sheets.contract import Sheet, sheets
from hatang_collector.web.problems import Refusal

PER_PAGE: Final = 100
LONGEST_QUERY: Final = 200


def sheet_named(noun: str) -> Sheet:
    """The register of a noun. Raises Refusal (404)."""
    sheet = sheets().get(noun)
    if sheet is None:
        step = "choose one at /registers"
        raise Refusal(HTTPStatus.NOT_FOUND, f"there is no register {noun}", step, "unknown_page")
    return sheet
