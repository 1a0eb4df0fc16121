"""Does a packet filter filter? Chains of rules in, a stance for each address family out. Pure.

nftables and iptables are both read into :class:`Ruleset`. Only chains on the input hook count: what
is forwarded for containers or translated protects nobody. What a reader did not understand is kept in
``unclear``, so that nobody takes it for an open machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

IPV4 = "ipv4"
IPV6 = "ipv6"
BOTH = frozenset({IPV4, IPV6})

MAX_DEPTH = 64
"""Jumps below each other; the kernel allows 16."""
MAX_STEPS = 100_000
"""Rules looked at in one rule set; a tangle of jumps is given up as unclear."""


class Stance(IntEnum):
    """How incoming packets of one family are met."""

    OPEN = 0
    SOME = 1
    """Some are refused, what no rule names is accepted."""
    CLOSED = 2
    """What no rule names is refused."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule may do: ``accept``, ``deny``, ``return``, ``jump`` or ``goto`` a chain."""

    kind: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``sure`` when every packet of its families meets it. ``text`` is the raw evidence.

    ``doubt`` is what of it was not understood; it counts when incoming packets come to the rule.
    """

    outcomes: tuple[Outcome, ...]
    sure: bool = False
    families: frozenset[str] = BOTH
    text: str = ""
    doubt: str = ""


@dataclass(slots=True)
class Chain:
    """A chain. A base chain on the input hook has ``hook`` and a ``policy``: ``accept`` or ``deny``."""

    families: frozenset[str]
    hook: bool = False
    policy: str = ""
    text: str = ""
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Ruleset:
    """Chains by (table, name), and what could not be understood."""

    chains: dict[tuple[str, str], Chain] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)
    product: str = ""

    def doubt(self, what: str) -> None:
        """Keep a piece that was not understood."""
        self.unclear.append(what[:120])


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source of rules says. A family that it says nothing about is not in ``stances``."""

    product: str
    stances: Mapping[str, Stance]
    unclear: Sequence[str] = ()
    evidence: str = ""


@dataclass(slots=True)
class _Effect:
    """What a chain does with the packets that enter it, by family."""

    some: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    """Families whose packets all found their end here."""


class _Walk:
    """Follows the chains of one rule set."""

    def __init__(self, rules: Ruleset) -> None:
        self._rules = rules
        self._steps = 0
        self.denials: list[str] = []

    def chain(self, table: str, name: str, alive: frozenset[str], depth: int) -> _Effect:
        effect = _Effect()
        chain = self._rules.chains.get((table, name))
        if chain is None or depth > MAX_DEPTH:
            self._rules.doubt(f"chain {name}")
            return effect
        left = set(alive & chain.families)
        for rule in chain.rules:
            self._steps += 1
            if self._steps > MAX_STEPS:
                self._rules.doubt("too many rules")
                break
            if families := frozenset(left) & rule.families:
                left -= self._rule(table, rule, families, effect, depth)
        return effect

    def _rule(
        self, table: str, rule: Rule, families: frozenset[str], effect: _Effect, depth: int
    ) -> frozenset[str]:
        """Adds to the effect; returns the families that do not come to the next rule."""
        leaving: frozenset[str] = frozenset()
        if rule.doubt:
            self._rules.doubt(rule.doubt)
        for outcome in rule.outcomes:
            if outcome.kind in ("jump", "goto"):
                inner = self.chain(table, outcome.target, families, depth + 1)
                effect.some |= inner.some
                if rule.sure:
                    effect.closed |= inner.closed
                    effect.ended |= inner.ended
                    leaving |= families if outcome.kind == "goto" else frozenset(inner.ended)
            elif outcome.kind == "deny":
                effect.some |= families
                self.denials.append(rule.text)
                if rule.sure:
                    effect.closed |= families
            if rule.sure and outcome.kind in ("deny", "accept", "return"):
                leaving |= families
                if outcome.kind != "return":
                    effect.ended |= families
        return leaving


def read(rules: Ruleset, families: frozenset[str] = BOTH) -> Reading:
    """The stance of a rule set towards each of the families that it can speak of."""
    stances = dict.fromkeys(families, Stance.OPEN)
    shown: list[str] = []
    walk = _Walk(rules)
    for (table, name), chain in rules.chains.items():
        if not chain.hook:
            continue
        effect = walk.chain(table, name, chain.families, 0)
        shown.append(chain.text)
        for family in chain.families & families:
            refused = chain.policy == "deny" and family not in effect.ended
            if family in effect.closed or refused:
                stances[family] = Stance.CLOSED
            elif family in effect.some:
                stances[family] = max(stances[family], Stance.SOME)
    shown += dict.fromkeys(walk.denials)
    unclear = tuple(dict.fromkeys(rules.unclear))
    return Reading(rules.product, stances, unclear, "; ".join(text for text in shown if text))
