"""What the facts of an office computer answer: does it reach a network, is it protected. Pure.

Three questions are asked of every machine: does it reach a network (:mod:`.reach`), is it protected by
antivirus, is its own firewall on. An answer is yes, no, or unknown, and always has the word of the
machine it rests on. What could not be read or was not tested is unknown: neither yes nor no.

The tables below are data: which word of an agent means what, and how long an old answer stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol

from hatang_collector.domain.figures import (
    Figure,
    FigureState,
    Method,
    Observed,
    Window,
    now_figure,
    window_figure,
)
from hatang_collector.domain.localtime import DAY_MS, OFFSET_MS, day_of

MINUTE_MS: Final = 60_000


class Topic(StrEnum):
    """What is asked."""

    REACH = "reach"
    ANTIVIRUS = "antivirus"
    FIREWALL = "firewall"


@dataclass(frozen=True, slots=True)
class Rule:
    """How a topic is answered.

    ``states`` are the words of an agent: yes, no, or None for unknown; a word that is not there is unknown.
    ``field`` holds the word in facts of ``kind``. When the probe fails, its last answer stands for
    ``stands_ms``; when it is switched off it stands no longer.
    """

    probe: str
    kind: str
    field: str
    states: Mapping[str, bool | None]
    stands_ms: int


RULES: Final[Mapping[Topic, Rule]] = {
    Topic.REACH: Rule(
        "networks",
        "network_reach",
        "reached",
        {"yes": True, "no": False, "not_tested": None},
        10 * MINUTE_MS,
    ),
    Topic.ANTIVIRUS: Rule(
        "antivirus",
        "antivirus_summary",
        "state",
        {"protected": True, "off": False, "out_of_date": False, "absent": False, "unreadable": None},
        120 * MINUTE_MS,
    ),
    Topic.FIREWALL: Rule(
        "firewall",
        "firewall",
        "state",
        # A firewall that leaves one kind of network open is not "on"; the list says which one.
        {"on": True, "partial": False, "off": False, "unreadable": None},
        60 * MINUTE_MS,
    ),
}
_BY_KIND: Final = {rule.kind: rule for rule in RULES.values()}
KINDS: Final = tuple(rule.kind for rule in RULES.values())
PROBES: Final = tuple(rule.probe for rule in RULES.values())

NOT_TOLD: Final = "not_told"
"""The word for a machine that never told, or that told once and has nothing to say any more."""

_FAILING: Final = frozenset({"failed", "timeout"})
_DISABLED: Final = "disabled"


class Told(Protocol):
    """A fact as a machine told it; ``seen_ms`` is its latest run that confirms it, UTC milliseconds."""

    @property
    def kind(self) -> str:
        """What it describes."""
        ...

    @property
    def fields(self) -> Mapping[str, Any]:
        """What it says."""
        ...

    @property
    def seen_ms(self) -> int:
        """See the class."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How the latest run of a probe ended (``ok``, ``no_data``, ``failed``, ``timeout``, ``disabled``)."""

    status: str
    at_ms: int


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """One question of every machine; ``network`` is given for :attr:`Topic.REACH` only."""

    topic: Topic
    network: str = ""


ANTIVIRUS: Final = Question(Topic.ANTIVIRUS)
FIREWALL: Final = Question(Topic.FIREWALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a machine answers to one question, and why.

    ``state`` is the agent's own word or :data:`NOT_TOLD`. ``why`` is its reason and ``product`` what it
    speaks of, both in the agent's words, '' for none. ``current`` is False when the probe is switched off
    or has failed for long: what it said then is not what is now. ``seen_ms`` is None when nothing was told.
    """

    value: bool | None
    state: str = NOT_TOLD
    why: str = ""
    product: str = ""
    seen_ms: int | None = None
    current: bool = True

    @property
    def now(self) -> bool | None:
        """The answer as of now; None when it is only of former times."""
        return self.value if self.current else None


UNTOLD: Final = Answer(None)


def antivirus(facts: Iterable[Told], ended: Ended | None = None) -> Answer:
    """Whether antivirus protects the machine: one product that watches, with fresh signatures."""
    return _latest(Topic.ANTIVIRUS, facts, ended)


def firewall(facts: Iterable[Told], ended: Ended | None = None) -> Answer:
    """Whether the machine's own firewall is on, for every kind of network it may be in."""
    return _latest(Topic.FIREWALL, facts, ended)


def _latest(topic: Topic, facts: Iterable[Told], ended: Ended | None) -> Answer:
    rule = RULES[topic]
    told = max((one for one in facts if one.kind == rule.kind), key=lambda one: one.seen_ms, default=None)
    if told is None:
        return UNTOLD
    state = word(told.fields, rule.field)
    return Answer(
        rule.states.get(state),
        state,
        word(told.fields, "why"),
        word(told.fields, "product"),
        told.seen_ms,
        is_current(rule, told.seen_ms, ended),
    )


def word(fields: Mapping[str, Any], name: str) -> str:
    """A field as text, '' when it is missing or no text."""
    found = fields.get(name)
    return found if isinstance(found, str) else ""


def is_current(rule: Rule, seen_ms: int, ended: Ended | None) -> bool:
    """Whether what was last confirmed at ``seen_ms`` still tells how things are, by the latest run.

    One run that failed says nothing about the machine; only when none succeeds for long, the answer is old.
    """
    if ended is None or ended.at_ms <= seen_ms:
        return True
    if ended.status == _DISABLED:
        return False
    return ended.status not in _FAILING or ended.at_ms - seen_ms < rule.stands_ms


def gist(told: Told, ended: Mapping[str, Ended]) -> tuple[str, str, str, int, bool]:
    """All of a fact that decides about figures: kind, network, state, local day, whether it is current."""
    rule = _BY_KIND[told.kind]
    fields = told.fields
    current = is_current(rule, told.seen_ms, ended.get(rule.probe))
    day = (told.seen_ms + OFFSET_MS) // DAY_MS
    return told.kind, word(fields, "network"), word(fields, rule.field), day, current


def usable(answer: Answer, window: Window) -> bool | None:
    """The answer as a figure of the window uses it: None when its probe had no good run in the window."""
    if answer.seen_ms is None or day_of(answer.seen_ms) < window.first:
        return None
    return answer.value


@dataclass(frozen=True, slots=True)
class Machine:
    """An agent and its answer to one question; ``seen`` as figures see it (its ``fact`` is not used)."""

    seen: Observed
    answer: Answer = UNTOLD


@dataclass(frozen=True, slots=True)
class Counted:
    """The figures of one question.

    ``now`` and ``window`` are out of the machines that have an agent. ``official`` is that of the window out
    of the machines declared in the register of assets. ``now`` is None for a day that is over.
    """

    question: Question
    now: Figure | None
    window: Figure
    official: Figure


def count(
    question: Question,
    machines: Sequence[Machine],
    window: Window,
    now_ms: int | None,
    declared: int | None = None,
) -> Counted:
    """Count the answers of machines.

    Args:
        question: what was asked.
        machines: every machine with an agent; those counted as nothing (site probes) count as nothing here.
        window: the days of the window-figures.
        now_ms: UTC milliseconds; None when there is no now-figure.
        declared: the number of machine assets in use, None when nobody declared it.
    """
    agents = len({one.seen.machine for one in machines if one.seen.machine})
    then = [replace(one.seen, fact=usable(one.answer, window)) for one in machines]
    today = [
        one if machine.answer.current else replace(one, fact=None)
        for one, machine in zip(then, machines, strict=True)
    ]
    return Counted(
        question,
        None if now_ms is None else _of_agents(now_figure(today, now_ms, agents)),
        _of_agents(window_figure(then, window, agents)),
        window_figure(then, window, declared),
    )


def _of_agents(figure: Figure) -> Figure:
    """A figure whose denominator was counted, not declared."""
    state = FigureState.NOT_MEASURED if figure.a is None else figure.state
    return replace(figure, state=state, method=Method.MEASURED)
