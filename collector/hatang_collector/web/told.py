"""The words of agents about networks, antivirus and firewall in the language of the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hatang_collector.domain.protection import Topic
from hatang_collector.web import format as fmt
from hatang_collector.web import i18n
from hatang_collector.web.format import Language
from hatang_collector.web.i18n import Texts

STATES: Final = {
    Topic.REACH: "fact.network_reach.reached.",
    Topic.ANTIVIRUS: "fact.antivirus_summary.state.",
    Topic.FIREWALL: "fact.firewall.state.",
}
"""Where the text of an agent's word begins in the catalogue, by topic."""

_PROFILES: Final = "fact.firewall.active_profile."

_REASONS: Final = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"off: (?P<where>[a-z, ]+)", "protection.why.off_in"),
        (r"unreadable: (?P<where>[a-z, ]+)", "protection.why.unread_in"),
        (r"no rule refuses what comes in", "protection.why.open"),
        (r"IPv6 is not filtered", "protection.why.ipv6"),
        (r"IPv4 is not filtered", "protection.why.ipv4"),
        (r"the rules of IPv6 could not be read", "protection.why.ipv6_unread"),
        (r"only what a rule names is refused", "protection.why.some"),
        (r"no right to read the rules", "protection.why.no_right"),
        (r"the rules could not be read", "protection.why.unread"),
        (r"neither nft nor iptables is installed", "protection.why.no_filter"),
        (r"real-time protection is off", "protection.why.not_watching"),
        (r"signatures are (?P<age>\d+) days old, more than (?P<limit>\d+)", "protection.why.age"),
        (r"it says its signatures are out of date", "protection.why.says_old"),
        (r"no known product is installed", "protection.why.no_product"),
        (r"does not tell whether it watches", "protection.why.silent"),
        (r"it is on but the age of its signatures is not told", "protection.why.no_age"),
        (r"its service is stopped", "protection.why.stopped"),
        (r"known only by its (?:service|files|folder|file system filter)", "protection.why.known_by"),
        (r"no documented command tells whether it watches", "protection.why.silent"),
    )
)
"""What agents say most, in their own words (``hatang_agent/probes``). Anything else stays as it was said."""


def why(text: str, t: Texts) -> str:
    """A reason of an agent, its parts translated where they are known."""
    return "; ".join(_part(part.strip(), t) for part in text.split(";"))


def _part(text: str, t: Texts) -> str:
    for pattern, key in _REASONS:
        if found := pattern.fullmatch(text):
            values = found.groupdict()
            if "where" in values:
                profiles = (name.strip() for name in values["where"].split(","))
                values["where"] = ", ".join(t.or_name(_PROFILES + name, name) for name in profiles)
            return t(key, **values)
    return text


def words(language: Language) -> dict[str, Any]:
    """What the pages of sites and units write answers with."""
    t = i18n.texts(language)

    def percent(share: Decimal) -> str:
        return f"{fmt.number(float(share), 1, language)}%"

    def ms(value: float) -> str:
        return f"{fmt.number(value, 0 if value >= 10 else 1, language)} ms"

    def reason(text: str) -> str:
        return why(text, t)

    tools: dict[str, Callable[..., str]] = {"percent": percent, "ms": ms, "why": reason}
    return {"words": {str(topic): text for topic, text in STATES.items()}, **tools}
