"""The small messages of an agent, decoded and checked against the topic they came on."""

from __future__ import annotations

import re
from typing import Final

from hatang_agent.wire import codec
from hatang_agent.wire.codec import Refusal, WireError
from hatang_agent.wire.messages import Beat, Birth, Presence
from hatang_agent.wire.topics import Topic
from hatang_collector.ingest.decode import decode_small

_EPOCH: Final = re.compile(r"[0-9a-f]{16}")


def read_birth(topic: Topic, payload: bytes) -> Birth:
    """The birth of an agent on one path. Raises WireError."""
    birth = decode_small(Birth, payload)
    codec.refuse_other_schema(birth.schema)
    if birth.agent != topic.agent:
        raise WireError(Refusal.OTHER_AGENT, f"a birth of {birth.agent[:32]!r}")
    _need(birth.path == topic.path, "path", birth.path)
    _need(_EPOCH.fullmatch(birth.epoch), "epoch", birth.epoch)
    _need(0 <= birth.connection <= codec.MAX_TIME_MS, "connection", birth.connection)
    _need(0 <= birth.clock.boot_ms <= codec.MAX_TIME_MS, "clock.boot_ms", birth.clock.boot_ms)
    _need(0 <= birth.clock.wall_ms <= codec.MAX_TIME_MS, "clock.wall_ms", birth.clock.wall_ms)
    _need(len(birth.clock.boot_id) <= 64, "clock.boot_id", birth.clock.boot_id)
    _need(len(birth.role) <= 32 and len(birth.version) <= 64, "role or version", birth.role)
    return birth


def read_presence(topic: Topic, payload: bytes) -> Presence:
    """A goodbye or a will on one path. Raises WireError."""
    presence = decode_small(Presence, payload)
    _need(presence.path == topic.path, "path", presence.path)
    _need(_EPOCH.fullmatch(presence.epoch), "epoch", presence.epoch)
    _need(0 <= presence.connection <= codec.MAX_TIME_MS, "connection", presence.connection)
    _need(0 <= (presence.return_wall_ms or 0) <= codec.MAX_TIME_MS, "return_wall_ms", presence.return_wall_ms)
    return presence


def read_beat(payload: bytes) -> Beat:
    """A heartbeat. Raises WireError."""
    beat = decode_small(Beat, payload)
    _need(_EPOCH.fullmatch(beat.epoch), "epoch", beat.epoch)
    _need(0 <= beat.number <= codec.MAX_TIME_MS, "number", beat.number)
    _need(0 <= beat.boot_ms <= codec.MAX_TIME_MS, "boot_ms", beat.boot_ms)
    _need(len(beat.boot_id) <= 64, "boot_id", beat.boot_id)
    return beat


def _need(condition: object, what: str, found: object) -> None:
    if not condition:
        raise WireError(Refusal.OUT_OF_RANGE, f"{what}: {str(found)[:80]!r}")
