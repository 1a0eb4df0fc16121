"""Every topic of the program. No other module contains a topic string.

``hatang/v1/{shard}/{agent}/…`` with shard = first byte of SHA-256(agent) mod 64. No site in a
topic: moves and mergers must not rewrite access rules.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

ROOT: Final = "hatang/v1"
SHARDS: Final = 64
COLLECTOR: Final = f"{ROOT}/collector"
CANARY: Final = f"{ROOT}/canary"

AGENT_PATTERN: Final = re.compile(r"[a-z2-7]{16}")
PATH_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_PER_PATH: Final = frozenset({"beat", "birth", "presence"})


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed agent topic. ``path`` is empty where the kind has none."""

    agent: str
    kind: str
    path: str = ""


def shard(agent: str) -> int:
    """Shard of an agent id, 0 to 63; the same on every machine and for ever."""
    return hashlib.sha256(agent.encode()).digest()[0] % SHARDS


def _base(agent: str) -> str:
    return f"{ROOT}/{shard(agent)}/{agent}"


def report(agent: str) -> str:
    """Where an agent publishes its sealed reports."""
    return f"{_base(agent)}/report"


def beat(agent: str, path: str) -> str:
    """Where an agent publishes heartbeats of one path."""
    return f"{_base(agent)}/beat/{path}"


def birth(agent: str, path: str) -> str:
    """Where an agent publishes its retained birth of one path."""
    return f"{_base(agent)}/birth/{path}"


def presence(agent: str, path: str) -> str:
    """Where goodbyes and wills of one path go."""
    return f"{_base(agent)}/presence/{path}"


def ack(agent: str) -> str:
    """Where an agent reads which of its digests are journaled or rejected."""
    return f"{_base(agent)}/ack"


def config(agent: str) -> str:
    """Where an agent reads its retained, signed configuration."""
    return f"{_base(agent)}/config"


def subscriptions(shards: range = range(SHARDS)) -> list[str]:
    """What an ingest worker reads; one wildcard set when it holds every shard."""
    prefixes = ["+"] if len(shards) == SHARDS else [str(number) for number in shards]
    kinds = ["report", "beat/+", "birth/+", "presence/+"]
    return [f"{ROOT}/{prefix}/+/{kind}" for prefix in prefixes for kind in kinds]


def parse(topic: str) -> Topic | None:
    """Parts of an agent topic, or None when it is not one (wrong shape, shard or agent id)."""
    parts = topic.split("/")
    if len(parts) not in (5, 6) or "/".join(parts[:2]) != ROOT:
        return None
    agent, kind = parts[3], parts[4]
    if not AGENT_PATTERN.fullmatch(agent) or parts[2] != str(shard(agent)):
        return None
    if kind in _PER_PATH:
        if len(parts) != 6 or not PATH_PATTERN.fullmatch(parts[5]):
            return None
        return Topic(agent, kind, parts[5])
    if len(parts) != 5 or kind not in {"report", "ack", "config"}:
        return None
    return Topic(agent, kind)
