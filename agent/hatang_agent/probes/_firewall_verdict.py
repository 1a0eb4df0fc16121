"""From what was read to one word: on, partial, off or unreadable, with the reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hatang_agent.probes._firewall_chains import IPV4, IPV6, Reading, Stance
from hatang_agent.probes._firewall_iptables import USE_NFT
from hatang_agent.probes._firewall_nft import COMPAT

ON = "on"
PARTIAL = "partial"
OFF = "off"
UNREADABLE = "unreadable"

MAX_EVIDENCE = 500
MAX_WHY = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """One firewall. ``profiles`` and what is active are Windows' only."""

    state: str
    product: str = ""
    why: str = ""
    evidence: str = ""
    profiles: Mapping[str, str] = field(default_factory=dict)
    active_profile: str = ""
    active_state: str = ""

    def fields(self) -> dict[str, Any]:
        """Fields of the fact; state, product and evidence are always there."""
        found: dict[str, Any] = {"state": self.state, "product": self.product[:100], **self.profiles}
        found |= {
            key: value
            for key, value in (
                ("active_profile", self.active_profile),
                ("active_state", self.active_state),
                ("why", shortened(self.why, MAX_WHY)),
            )
            if value
        }
        return {**found, "evidence": shortened(self.evidence, MAX_EVIDENCE)}


def shortened(text: str, limit: int) -> str:
    """Text on one line, printable, at most ``limit`` characters, its end replaced by three dots."""
    plain = "".join(sign if sign.isprintable() else " " for sign in re.sub(r"\s+", " ", text))
    plain = plain.encode(errors="replace").decode().strip()
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A source that is there but did not tell: no right, too slow, or something else than rules."""

    source: str
    said: str

    def __str__(self) -> str:
        return f"{self.source}: {self.said}"


_SHUT, _OPEN, _UNKNOWN, _UNASKED = "shut", "open", "unknown", "unasked"


def of_rules(
    readings: Sequence[Reading], refusals: Sequence[Refusal], *, ipv6_in_use: bool | None
) -> Verdict:
    """The verdict on the rule sets of a Linux machine.

    ``ipv6_in_use`` is None when it is not known. What was refused or not understood never makes a
    machine ``off``.
    """
    evidence = "; ".join([*(one.evidence for one in readings if one.evidence), *map(str, refusals)])
    unclear = _unclear(readings)
    product = _product(readings)
    stances = {
        family: max(one.stances[family] for one in readings if family in one.stances)
        for family in (IPV4, IPV6)
        if any(family in one.stances for one in readings)
    }
    doubted = bool(unclear or refusals)
    first, second = (_known(stances.get(family), doubted=doubted) for family in (IPV4, IPV6))
    if ipv6_in_use is False:
        second = first
    state, why = _STATES.get((first, second), (UNREADABLE, "the rules could not be read"))
    if state == ON and Stance.SOME in stances.values():
        why = "; ".join(part for part in ("only what a rule names is refused", why) if part)
    if state == UNREADABLE:
        why = f"not understood: {unclear[0]}" if unclear else _cause(refusals) or why
    if not readings and not refusals:
        why = "neither nft nor iptables is installed"
    if unclear and state == UNREADABLE:
        evidence = "; ".join([*unclear, evidence])
    return Verdict(state, product, why, evidence)


_STATES = {
    (_SHUT, _SHUT): (ON, ""),
    (_SHUT, _OPEN): (PARTIAL, "IPv6 is not filtered"),
    (_SHUT, _UNKNOWN): (ON, "the rules of IPv6 could not be read"),
    (_SHUT, _UNASKED): (ON, "the rules of IPv6 could not be read"),
    (_OPEN, _SHUT): (PARTIAL, "IPv4 is not filtered"),
    (_OPEN, _OPEN): (OFF, "no rule refuses what comes in"),
    (_OPEN, _UNASKED): (OFF, "no rule refuses what comes in"),
}


def _known(stance: Stance | None, *, doubted: bool) -> str:
    if stance is not None and stance > Stance.OPEN:
        return _SHUT
    if doubted:
        return _UNKNOWN
    return _UNASKED if stance is None else _OPEN


def _unclear(readings: Sequence[Reading]) -> list[str]:
    """Doubts; what only iptables, or only nft, can explain is none where that one was understood."""
    by_iptables = [one for one in readings if len(one.stances) == 1]
    by_nft = [one for one in readings if len(one.stances) == 2]
    explained = bool(by_iptables) and not any(one.unclear for one in by_iptables)
    doubts = (doubt for one in readings for doubt in one.unclear)
    return [
        doubt
        for doubt in doubts
        if not (explained and doubt.startswith(COMPAT)) and not (by_nft and doubt == USE_NFT)
    ]


def _product(readings: Sequence[Reading]) -> str:
    """The manager of the rules where one is known by its chains, else the source that refuses most."""
    names = [one.product for one in readings]
    for manager in ("ufw", "firewalld"):
        if manager in names:
            return manager
    ranked = sorted(readings, key=lambda one: -max(one.stances.values(), default=Stance.OPEN))
    return ranked[0].product if ranked else ""


def _cause(refusals: Sequence[Refusal]) -> str:
    if any(re.search(r"not permitted|denied|be root", one.said, re.IGNORECASE) for one in refusals):
        return "no right to read the rules"
    return f"{refusals[0].source} did not show the rules" if refusals else ""


def of_profiles(profiles: Mapping[str, str]) -> tuple[str, str]:
    """State and reason of Windows' three profiles; they are off, on or unreadable."""
    off = [name for name, state in profiles.items() if state == OFF]
    on = [name for name, state in profiles.items() if state == ON]
    unknown = [name for name in profiles if name not in off and name not in on]
    told = [f"{state}: {', '.join(names)}" for state, names in ((OFF, off), (UNREADABLE, unknown)) if names]
    if off and on:
        return PARTIAL, "; ".join(told)
    if unknown:
        return UNREADABLE, "; ".join(told)
    return (OFF if off else ON), "; ".join(told)
