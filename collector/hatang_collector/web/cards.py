"""The cards and tiles of the boards as markup, rendered once per change and language."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from hatang_collector.domain.figures import Figure, percent
from hatang_collector.web import format as fmt
from hatang_collector.web import i18n
from hatang_collector.web.format import Language
from hatang_collector.web.i18n import LANGUAGES
from hatang_collector.web.render import fragment
from hatang_collector.web.sites import ON_CARD, SITE_SYMBOLS, LinkChip, SiteState, SiteSummary
from hatang_collector.web.sites import counts as site_counts
from hatang_collector.web.summary import Summary, counts

_UNKNOWN_RATE: Final = "–"


class Cards:
    """Remembers the markup of each machine and each site until its summary changes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Language], tuple[Summary, str]] = {}
        self._sites: dict[tuple[str, Language], tuple[SiteSummary, str]] = {}
        self._tiles: dict[Language, tuple[str, str]] = {}

    def card(self, summary: Summary, language: Language, now_ms: int) -> str:
        """The card of one machine. Its age is as of ``now_ms`` or earlier; the page's script ticks it."""
        key = (summary.agent, language)
        kept = self._kept.get(key)
        if kept is None or kept[0] != summary:
            kept = (summary, fragment("card.html", language, now_ms, {"m": summary}))
            self._kept[key] = kept
        return kept[1]

    def site(self, summary: SiteSummary, language: Language, now_ms: int) -> str:
        """The card of one site, or of the machines nobody placed."""
        key = (summary.key, language)
        kept = self._sites.get(key)
        if kept is None or kept[0] is not summary:
            kept = (summary, _site_card(summary, language, now_ms))
            self._sites[key] = kept
        return kept[1]

    def site_tiles(self, mark: str, sites: Iterable[SiteSummary], language: Language, now_ms: int) -> str:
        """The counts above the cards of sites, as of a mark of the feed."""
        kept = self._tiles.get(language)
        if kept is None or kept[0] != mark:
            kept = self._tiles[language] = (mark, _site_tiles(sites, language, now_ms))
        return kept[1]

    def forget(self, agents: Iterable[str]) -> None:
        """Drop machines that are gone."""
        for agent in agents:
            for language in LANGUAGES:
                self._kept.pop((agent, language), None)

    def forget_sites(self, keys: Iterable[str]) -> None:
        """Drop sites that are gone."""
        for key in keys:
            for language in LANGUAGES:
                self._sites.pop((key, language), None)


def tiles(summaries: Iterable[Summary], language: Language, now_ms: int) -> str:
    """The counts above the cards of machines."""
    everyone = list(summaries)
    values: dict[str, Any] = {
        "states": counts(everyone),
        "total": len(everyone),
        "findings": sum(one.findings for one in everyone),
    }
    return fragment("tiles.html", language, now_ms, values)


def percent_text(share: Decimal | None, language: Language) -> str:
    """``92,9%``: always one decimal, as figures are printed; empty where there is no ratio."""
    return "" if share is None else f"{fmt.number(float(share), 1, language)}%"


def rates_text(link: LinkChip, language: Language) -> str:
    """``100/50``: contracted Mbit/s down and up; empty when neither is known."""
    if link.down_mbps is None and link.up_mbps is None:
        return ""
    return "/".join(
        _UNKNOWN_RATE if rate is None else fmt.number(rate, 0 if float(rate).is_integer() else 1, language)
        for rate in (link.down_mbps, link.up_mbps)
    )


def _site_card(summary: SiteSummary, language: Language, now_ms: int) -> str:
    t = i18n.texts(language)
    chips = []
    for link in summary.ground.links if summary.ground else ():
        rates = rates_text(link, language)
        name = " ".join(part for part in (link.provider, rates) if part)
        chips.append((t(f"sites.link.{link.kind}"), name, f"{rates} Mbit/s" if rates else ""))
    covered = summary.coverage
    values: dict[str, Any] = {
        "s": summary,
        "symbol": SITE_SYMBOLS[summary.state],
        "chips": chips,
        "asked": [(one.topic, summary.counted(one)) for one in ON_CARD],
        "closed": summary.state is SiteState.CLOSED,
        "coverage": covered,
        "coverage_text": percent_text(covered.percent, language) if covered else "",
    }
    return fragment("site_card.html", language, now_ms, values)


def _site_tiles(sites: Iterable[SiteSummary], language: Language, now_ms: int) -> str:
    everyone = [one for one in sites if one.ground is not None]
    declaring = [one for one in everyone if one.now.b is not None]
    asking = [found.now for one in everyone if (found := one.counted(ON_CARD[0])) and found.now]
    reached, out_of = (sum(part or 0 for part in parts) for parts in _columns(asking))
    values: dict[str, Any] = {
        "states": site_counts(everyone),
        "State": SiteState,
        "symbols": SITE_SYMBOLS,
        "fresh": sum(one.now.a or 0 for one in declaring or everyone),
        "seen": sum(one.window.a or 0 for one in declaring or everyone),
        "declared": sum(one.now.b or 0 for one in declaring) if declaring else None,
        "silent_declarations": len(everyone) - len(declaring),
        "asking": len(asking),
        "not_asking": len(everyone) - len(asking),
        "measured": any(one.a is not None for one in asking),
        "reached": reached,
        "reach_of": out_of,
        "reached_percent": percent_text(percent(reached, out_of), language),
    }
    return fragment("site_tiles.html", language, now_ms, values)


def _columns(figures: Iterable[Figure]) -> tuple[list[int | None], list[int | None]]:
    """Every ``a`` and every ``b``."""
    everyone = list(figures)
    return [one.a for one in everyone], [one.b for one in everyone]
