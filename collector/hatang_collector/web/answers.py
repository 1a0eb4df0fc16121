"""What every machine answers to the questions of the boards, read again only for those that reported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hatang_collector.domain import protection, reach
from hatang_collector.domain.localtime import day_of, midnight_ms
from hatang_collector.domain.protection import ANTIVIRUS, FIREWALL, RULES, Answer, Ended, Question, Topic
from hatang_collector.domain.reach import Path
from hatang_collector.ledger import latest
from hatang_collector.ledger.engine import Connection, Ledger

Known = Mapping[Question, Answer]
"""The answers of a machine without the agent's texts; machines that answer alike share one object."""

NOTHING: Final[Known] = {}

_MOST_SHARED: Final = 20_000
_AT_ONCE: Final = 1_000
"""How many machines are held with all their texts at a time."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one machine with everything it told; ``paths`` by network."""

    answers: Known
    paths: Mapping[str, tuple[Path, ...]]

    def of(self, question: Question) -> Answer:
        """The answer to a question, unknown when nothing was told."""
        return self.answers.get(question, protection.UNTOLD)

    @property
    def at_once(self) -> tuple[str, ...]:
        """See :func:`.reach.at_once`."""
        return reach.at_once(self.paths)


SILENT: Final = Answers(NOTHING, {})


@dataclass(slots=True)
class _Said:
    """The facts of a machine and how its probes ended, as they were read."""

    facts: list[latest.Told] = field(default_factory=list)
    runs: dict[str, Ended] = field(default_factory=dict)

    def answers(self) -> Answers:
        ways = reach.paths(self.facts)
        run = self.runs.get(RULES[Topic.REACH].probe)
        found = {reach.question(network): reach.answer(mine, run) for network, mine in ways.items()}
        found[ANTIVIRUS] = protection.antivirus(self.facts, self.runs.get(RULES[Topic.ANTIVIRUS].probe))
        found[FIREWALL] = protection.firewall(self.facts, self.runs.get(RULES[Topic.FIREWALL].probe))
        return Answers(found, ways)

    def gist(self) -> Hashable:
        """All that decides about the answers: machines with the same one answer alike."""
        return tuple(protection.gist(one, self.runs) for one in self.facts)


def read(c: Connection, agents: Collection[str]) -> dict[str, Answers]:
    """The answers of some machines as the ledger has them now; those that told nothing are missing."""
    return {agent: said.answers() for agent, said in _said(c, agents).items()}


def answers_at(
    c: Connection, agents: Collection[str], at_ms: int, seen: Mapping[str, Mapping[str, int]]
) -> dict[str, Answers]:
    """The answers of some machines as they were at a moment.

    ``seen`` has, by probe and agent, when the latest good run before it was (UTC milliseconds): which run
    confirmed a fact is known of the present only.
    """
    found: dict[str, list[latest.Told]] = defaultdict(list)
    probes = {rule.kind: rule.probe for rule in RULES.values()}
    for one in latest.facts_at(c, protection.PROBES, protection.KINDS, at_ms, agents):
        seen_ms = max(one.seen_ms, seen.get(probes[one.kind], {}).get(one.agent, 0))
        found[one.agent].append(replace(one, seen_ms=seen_ms))
    return {agent: _Said(told).answers() for agent, told in found.items()}


def _said(c: Connection, agents: Collection[str]) -> dict[str, _Said]:
    found: dict[str, _Said] = defaultdict(_Said)
    for one in latest.facts(c, protection.PROBES, protection.KINDS, agents):
        found[one.agent].facts.append(one)
    for agent, probe, status, at_ms in latest.ended(c, protection.PROBES, agents):
        if agent in found:
            found[agent].runs[probe] = Ended(status, at_ms)
    return found


class AnswerBook:
    """The answers of all machines. One thread at a time looks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reports: dict[str, int] = {}
        self._known: dict[str, Known] = {}
        self._shared: dict[Hashable, Known] = {}

    def look(self) -> Mapping[str, Known]:
        """Every machine that told anything, by agent. Raises LedgerUnavailable."""
        with self._ledger.read() as c:
            reports = latest.reports(c)
            before = self._reports
            changed = [agent for agent, count in reports.items() if before.get(agent) != count]
            if not changed and len(reports) == len(before):
                return self._known
            known = {agent: one for agent, one in self._known.items() if agent in reports}
            for at in range(0, len(changed), _AT_ONCE):
                some = changed[at : at + _AT_ONCE]
                found = _said(c, some)
                known |= {agent: self._share(found[agent]) if agent in found else NOTHING for agent in some}
        self._known, self._reports = known, reports
        return known

    def _share(self, said: _Said) -> Known:
        gist = said.gist()
        if gist not in self._shared:
            if len(self._shared) > _MOST_SHARED:
                self._shared.clear()
            answers = said.answers().answers
            self._shared[gist] = {question: _brief(one) for question, one in answers.items()}
        return self._shared[gist]


def _brief(answer: Answer) -> Answer:
    """Without what differs between machines that answer alike: texts, and when in the day it was."""
    day_ms = None if answer.seen_ms is None else midnight_ms(day_of(answer.seen_ms))
    return replace(answer, why="", product="", seen_ms=day_ms)
