"""Which networks a machine reaches, by the facts of its paths. Pure.

A machine tells one fact for each network and path. A network is reached when one path reaches it, so a
dead path is not hidden: it stays in the list of paths. It is not reached when a path was tested and
none reaches it. What was tested on no path is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hatang_collector.domain.protection import RULES, Answer, Ended, Question, Told, Topic, is_current, word

CPNET: Final = "cpnet"
INTERNET: Final = "internet"
MOST: Final = 16
"""How many networks of one machine are looked at: their names come from agents."""

_RULE: Final = RULES[Topic.REACH]
_ORDER: Final = (True, False, None)


@dataclass(frozen=True, slots=True)
class Path:
    """What one path of a machine says of a network. Times in ms, loss in percent, None when not told."""

    source: str
    state: str
    reached: bool | None
    rtt_ms: float | None
    loss: float | None
    jitter_ms: float | None
    how: str
    seen_ms: int


def question(network: str) -> Question:
    """The question whether a network is reached."""
    return Question(Topic.REACH, network)


def rank(network: str) -> tuple[int, str]:
    """For sorting networks: CPNet, the Internet, then others by name."""
    known = (CPNET, INTERNET)
    return (known.index(network) if network in known else len(known), network)


def paths(facts: Iterable[Told]) -> Mapping[str, tuple[Path, ...]]:
    """The paths of each network, those that reach it first; CPNet and the Internet before others."""
    found: dict[str, list[Path]] = {}
    for one in facts:
        network = word(one.fields, "network")
        if one.kind == _RULE.kind and network:
            found.setdefault(network, []).append(_path(one))
    names = sorted(found, key=rank)[:MOST]
    return {
        name: tuple(sorted(found[name], key=lambda one: (_ORDER.index(one.reached), one.source)))
        for name in names
    }


def _path(told: Told) -> Path:
    state = word(told.fields, _RULE.field)
    return Path(
        word(told.fields, "source"),
        state,
        _RULE.states.get(state),
        _number(told, "rtt_ms"),
        _number(told, "loss"),
        _number(told, "jitter_ms"),
        word(told.fields, "how"),
        told.seen_ms,
    )


def _number(told: Told, name: str) -> float | None:
    found = told.fields.get(name)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def answers(facts: Iterable[Told], ended: Ended | None = None) -> Mapping[str, Answer]:
    """Whether each network the machine told of is reached."""
    return {network: answer(ways, ended) for network, ways in paths(facts).items()}


def answer(ways: tuple[Path, ...], ended: Ended | None = None) -> Answer:
    """Whether a network is reached by one of these paths, of which there is at least one, best first."""
    best = ways[0]
    seen_ms = max(one.seen_ms for one in ways)
    said = "; ".join(
        dict.fromkeys(
            f"{one.source}: {one.how}".strip(": ") for one in ways if one.reached is best.reached and one.how
        )
    )
    return Answer(best.reached, best.state, said, seen_ms=seen_ms, current=is_current(_RULE, seen_ms, ended))


def at_once(ways: Mapping[str, tuple[Path, ...]]) -> tuple[str, ...]:
    """The networks a machine is in at the same time, when CPNet and the Internet are among them, else none.

    It is told to whoever owns the policy, and not judged here: it may be allowed.
    """
    reached = tuple(network for network, found in ways.items() if found[0].reached)
    return reached if CPNET in reached and INTERNET in reached else ()
