"""The small messages around a report: birth, presence, beat, acknowledgement, configuration.

Same rules as :mod:`hatang_agent.wire.report`: dataclasses are the schema, times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hatang_agent.wire.report import Clock


class Farewell(StrEnum):
    """Why an agent left a path. ``lost`` is only ever said by the broker, in the agent's will."""

    SHUTDOWN = "shutdown"
    SLEEP = "sleep"
    UPDATE = "update"
    STOP = "stop"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Birth:
    """Published retained at every connect. ``connection`` rises by one per connect of an epoch."""

    schema: int
    agent: str
    epoch: str
    path: str
    connection: int
    clock: Clock
    role: str
    version: str


@dataclass(frozen=True, slots=True)
class Presence:
    """A goodbye, or the will the broker publishes. Ignored when older than the path's latest birth."""

    epoch: str
    path: str
    connection: int
    reason: Farewell
    return_wall_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat: proof that a path works, and a live sample of the boot clock."""

    epoch: str
    number: int
    boot_ms: int
    boot_id: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A report that will never be taken as it is. Its bytes are kept by the collector."""

    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ack:
    """Digests that are journaled and fsynced, and those refused. The agent forgets only these."""

    journaled: tuple[str, ...] = ()
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectorHello:
    """Retained on the collector topic.

    A new ``epoch`` means the collector restarted; a new ``collector``, that it is another store
    and full inventories are wanted again.
    """

    collector: str
    epoch: str


@dataclass(frozen=True, slots=True)
class SignedConfig:
    """Configuration for one agent. ``hmac`` covers agent id, number and content (canonical JSON)."""

    number: int
    content: Mapping[str, Any] = field(default_factory=dict)
    hmac: str = ""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """One way to a broker. ``reports`` and ``beats`` are policy: what may travel on this path."""

    host: str
    port: int
    path: str = "main"
    tls: bool = True
    reports: bool = True
    beats: bool = True


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """Asks for an identity. ``fingerprint`` holds hardware values by name, generic ones left out.

    ``staff_group`` is the code of the group that the machine serves; '' is what the token says.
    """

    token: str
    version: str
    label: str = ""
    asset_code: str = ""
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    staff_group: str = ""


@dataclass(frozen=True, slots=True)
class EnrolReply:
    """An identity. ``secret`` is 64 hex digits and is shown this once; see :mod:`.secrets`."""

    agent: str
    secret: str
    role: str
    brokers: tuple[BrokerAddress, ...]
    ca_pem: str = ""
    recovered: bool = False
