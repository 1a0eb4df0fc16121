"""The cards and tiles of the board as markup, rendered once per change and language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hatang_collector.web.format import Language
from hatang_collector.web.i18n import LANGUAGES
from hatang_collector.web.render import fragment
from hatang_collector.web.summary import Summary, counts


class Cards:
    """Remembers the markup of each machine until its summary changes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Language], tuple[Summary, str]] = {}

    def card(self, summary: Summary, language: Language, now_ms: int) -> str:
        """The card of one machine. Its age is as of ``now_ms`` or earlier; the page's script ticks it."""
        key = (summary.agent, language)
        kept = self._kept.get(key)
        if kept is None or kept[0] != summary:
            kept = (summary, fragment("card.html", language, now_ms, {"m": summary}))
            self._kept[key] = kept
        return kept[1]

    def forget(self, agents: Iterable[str]) -> None:
        """Drop machines that are gone."""
        for agent in agents:
            for language in LANGUAGES:
                self._kept.pop((agent, language), None)


def tiles(summaries: Iterable[Summary], language: Language, now_ms: int) -> str:
    """The counts above the cards."""
    everyone = list(summaries)
    values: dict[str, Any] = {
        "states": counts(everyone),
        "total": len(everyone),
        "findings": sum(one.findings for one in everyone),
    }
    return fragment("tiles.html", language, now_ms, values)
