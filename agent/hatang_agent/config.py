"""Settings of the agent: one TOML file, every key optional. This file is where defaults live.

Identity and broker addresses are not settings: enrolment writes them into the state folder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hatang_agent import strictconfig
from hatang_agent.registry import Probe
from hatang_agent.strictconfig import ConfigError, Place
from hatang_agent.system import System

ROLE_PC = "pc"
ROLE_PROBE = "probe"
MEGABYTE = 1_000_000
POLICY_KEYS = frozenset({"host_name", "host_name_key"})
"""Keys of a probe's Config that only [privacy] and the identity fill in."""
SERVICE_STATE = "/var/lib/hatang-agent"
SERVICE_CONFIG = "/etc/hatang/agent.toml"


class LogLevel(StrEnum):
    """How much the agent says about itself."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class HostName(StrEnum):
    """In which form the machine's own name may leave it."""

    OFF = "off"
    HMAC = "hmac"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class AgentSection:
    """[agent]."""

    label: str = field(
        default="", metadata={"help": "name by which people find this machine, on its sticker"}
    )
    asset_code: str = field(default="", metadata={"help": "code in the register of assets"})
    state_dir: str = field(
        default="",
        metadata={
            "help": f"folder of identity and outbox; empty = {SERVICE_STATE} as root, "
            "else ~/.local/state/hatang-agent"
        },
    )
    log_level: LogLevel = field(default=LogLevel.INFO, metadata={"help": "debug, info, warning or error"})


@dataclass(frozen=True, slots=True)
class ScheduleSection:
    """[schedule]. None means the default of the agent's role."""

    sample_s: float | None = field(
        default=None,
        metadata={"help": "seconds between samples (pc 60, probe 5)", "example": 60.0, "minimum": 1},
    )
    first_spread_s: float = field(
        default=3.0, metadata={"help": "the first runs are spread over so many seconds", "minimum": 0}
    )


@dataclass(frozen=True, slots=True)
class ReportingSection:
    """[reporting]. None means the default of the agent's role."""

    report_s: float | None = field(
        default=None,
        metadata={"help": "seconds between reports (pc 300, probe 15)", "example": 300.0, "minimum": 1},
    )
    beat_s: float | None = field(
        default=None,
        metadata={"help": "seconds between heartbeats (pc 600, probe 2)", "example": 600.0, "minimum": 1},
    )
    keepalive_s: int | None = field(
        default=None,
        metadata={
            "help": "MQTT keepalive in seconds (pc 600, probe 10)",
            "example": 600,
            "minimum": 5,
            "maximum": 65535,
        },
    )


@dataclass(frozen=True, slots=True)
class OutboxSection:
    """[outbox]. None means the default of the agent's role."""

    max_mb: float | None = field(
        default=None,
        metadata={
            "help": "megabytes kept while nothing can be sent (pc 20, probe 128)",
            "example": 20.0,
            "minimum": 1,
        },
    )


@dataclass(frozen=True, slots=True)
class PrivacySection:
    """[privacy]."""

    host_name: HostName = field(
        default=HostName.HMAC,
        metadata={"help": "how the machine's own name may leave it: off, hmac (keyed hash) or plain"},
    )


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The whole file. ``probes`` holds the [probes.<name>] tables as they are written."""

    agent: AgentSection = AgentSection()
    schedule: ScheduleSection = ScheduleSection()
    reporting: ReportingSection = ReportingSection()
    outbox: OutboxSection = OutboxSection()
    privacy: PrivacySection = PrivacySection()
    probes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What an agent of one role does how often (seconds), and how much it keeps (bytes)."""

    sample_s: float
    report_s: float
    beat_s: float
    keepalive_s: int
    outbox_bytes: int


ROLE_RHYTHMS: Mapping[str, Rhythm] = {
    ROLE_PC: Rhythm(sample_s=60, report_s=300, beat_s=600, keepalive_s=600, outbox_bytes=20 * MEGABYTE),
    ROLE_PROBE: Rhythm(sample_s=5, report_s=15, beat_s=2, keepalive_s=10, outbox_bytes=128 * MEGABYTE),
}


@dataclass(frozen=True, slots=True)
class ProbeTable:
    """Keys of every [probes.<name>] table that are not the probe's own."""

    enabled: bool | None = field(default=None, metadata={"help": "whether it runs; default: by role"})
    interval_s: float | None = field(default=None, metadata={"help": "seconds between runs", "minimum": 1})


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """How one probe is to be run on this agent."""

    enabled: bool
    interval_s: float
    config: Any


def rhythm(config: AgentConfig, role: str) -> Rhythm:
    """The rhythm of a role with the file's own values on top; an unknown role counts as ``pc``."""
    base = ROLE_RHYTHMS.get(role, ROLE_RHYTHMS[ROLE_PC])
    max_mb = config.outbox.max_mb
    return Rhythm(
        sample_s=config.schedule.sample_s or base.sample_s,
        report_s=config.reporting.report_s or base.report_s,
        beat_s=config.reporting.beat_s or base.beat_s,
        keepalive_s=config.reporting.keepalive_s or base.keepalive_s,
        outbox_bytes=base.outbox_bytes if max_mb is None else int(max_mb * MEGABYTE),
    )


def plan(
    config: AgentConfig, probe: Probe, role: str, *, host_name_key: bytes = b"", place: Place | None = None
) -> ProbePlan:
    """How a probe is to be run: its table checked against its Config. Raises ConfigError.

    A probe whose Config has ``host_name`` and ``host_name_key`` is handed the policy of [privacy]
    and the key (the agent's own); without a key a keyed hash cannot be made and none is sent.
    """
    place = place or Place("settings", "")
    place = dataclasses.replace(place, path=("probes", probe.name))
    table = config.probes.get(probe.name, {})
    if not isinstance(table, dict):
        raise place.error(f"[probes.{probe.name}] must be a table; write its settings below that header")
    common = {item.name for item in dataclasses.fields(ProbeTable)}
    named = {item.name for item in dataclasses.fields(probe.config)}
    own = named - POLICY_KEYS
    strictconfig.refuse_unknown(table, common | own, place)
    shared = strictconfig.build(ProbeTable, {k: v for k, v in table.items() if k in common}, place)
    given = {key: value for key, value in table.items() if key in own}
    settings = strictconfig.build(probe.config, given, place)
    if named >= POLICY_KEYS:
        chosen = {"host_name": str(config.privacy.host_name), "host_name_key": host_name_key.hex()}
        settings = dataclasses.replace(settings, **chosen)
    enabled = role in probe.roles if shared.enabled is None else shared.enabled
    return ProbePlan(enabled, shared.interval_s or _interval_s(config, probe, role), settings)


def _interval_s(config: AgentConfig, probe: Probe, role: str) -> float:
    """A sampling probe follows the role's sampling rhythm, an inventory keeps its own interval."""
    samples_each = ROLE_RHYTHMS[ROLE_PC].sample_s
    return rhythm(config, role).sample_s if probe.interval_s == samples_each else probe.interval_s


def load(text: str, source: str, environ: Mapping[str, str], probes: Mapping[str, Probe]) -> AgentConfig:
    """The settings in TOML text, with every probe's table checked. Raises ConfigError."""
    config = strictconfig.load(AgentConfig, text, source, environ)
    place = Place(source, text, ("probes",))
    strictconfig.refuse_unknown(config.probes, set(probes), place)
    for probe in probes.values():
        plan(config, probe, ROLE_PC, place=place)
    return config


def load_file(path: Path | None, system: System, probes: Mapping[str, Probe]) -> AgentConfig:
    """Settings from a file. Without a path: the service's file when it exists, else the defaults.

    Raises ConfigError, also when a file that was named cannot be read.
    """
    source = path or default_file(system)
    if path is None and not source.is_file():
        return load("", "environment", system.environ, probes)
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{source}: cannot be read ({cause}); check the path and its rights") from error
    return load(text, str(source), system.environ, probes)


def default_file(system: System) -> Path:
    """Where a service's settings are looked for when no file is named."""
    if system.platform == "windows":
        return _program_data(system) / "agent.toml"
    return Path(SERVICE_CONFIG)


def _program_data(system: System) -> Path:
    return Path(system.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "hatang-agent"


def with_remote(config: AgentConfig, content: Mapping[str, Any], probes: Mapping[str, Probe]) -> AgentConfig:
    """The settings with those of a verified signed configuration on top. Raises ConfigError.

    Only rhythm and probes can be steered from afar; a probe this version does not know is passed
    over, because a fleet is never updated all at once.
    """
    place = Place("signed configuration", "")
    strictconfig.refuse_unknown(content, {"schedule", "reporting", "probes"}, place)
    merged: dict[str, Any] = {}
    for name in ("schedule", "reporting"):
        old = getattr(config, name)
        values = {**dataclasses.asdict(old), **_table(content, name, place)}
        given = {key: value for key, value in values.items() if value is not None}
        merged[name] = strictconfig.build(type(old), given, dataclasses.replace(place, path=(name,)))
    tables = {name: dict(table) for name, table in config.probes.items()}
    for name in _table(content, "probes", place):
        if name in probes:
            tables[name] = {**tables.get(name, {}), **_table(content["probes"], name, place)}
    changed = dataclasses.replace(config, **merged, probes=tables)
    for probe in probes.values():
        plan(changed, probe, ROLE_PC, place=place)
    return changed


def _table(content: Mapping[str, Any], name: str, place: Place) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise place.error(f"{name} must be a table")
    return table


def state_dir(config: AgentConfig, system: System, chosen: Path | None = None) -> Path:
    """The folder of identity and outbox: ``--state``, else the setting, else by who runs the agent."""
    if chosen is not None:
        return chosen
    if config.agent.state_dir:
        return Path(config.agent.state_dir)
    if system.platform == "windows":
        return _program_data(system)
    if system.privileged():
        return Path(SERVICE_STATE)
    base = system.environ.get("XDG_STATE_HOME") or f"{system.environ.get('HOME', '.')}/.local/state"
    return Path(base) / "hatang-agent"


def sample_text(probes: Mapping[str, Probe]) -> str:
    """The commented sample file, with a table for every probe."""
    parts = [strictconfig.sample(AgentConfig)]
    for probe in probes.values():
        interval = dataclasses.replace(ProbeTable(), interval_s=float(probe.interval_s))
        parts.append(
            strictconfig.sample_table(
                ("probes", probe.name), [(ProbeTable, interval), (probe.config, None)], POLICY_KEYS
            )
        )
    return "\n".join(parts)
