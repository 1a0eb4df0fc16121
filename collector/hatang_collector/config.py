"""The collector's settings: every default lives here, every setting explains itself.

``collector.toml`` in the data folder (or ``--config FILE``) is optional; what it does not name has
the default below. ``hatang-collector sample-config`` prints the file with every setting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hatang_agent import strictconfig
from hatang_agent.strictconfig import ConfigError


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


class LogLevel(StrEnum):
    """How much is written to the log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class BrokerMode(StrEnum):
    """Who runs the MQTT broker."""

    EMBEDDED = "embedded"
    EXTERNAL = "external"


class StoreKind(StrEnum):
    """Where series are kept."""

    EMBEDDED = "embedded"
    INFLUXDB = "influxdb"


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Pages and API."""

    host: str = _setting("127.0.0.1", "address to listen on; behind a reverse proxy keep 127.0.0.1")
    port: int = field(default=8080, metadata={"help": "port to listen on", "minimum": 1, "maximum": 65535})
    public_url: str = _setting(
        "", "address people and agents type, when it differs, e.g. https://hatang.example"
    )


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """The MQTT broker that agents connect to."""

    mode: BrokerMode = _setting(BrokerMode.EMBEDDED, "embedded: Debian's mosquitto, run and supervised by us")
    host: str = _setting("127.0.0.1", "address agents' connections are taken on; 0.0.0.0 for every network")
    port: int = _setting(8883, "port of agents, TLS 1.2 or newer")
    names: tuple[str, ...] = _setting(
        (), "further names or addresses that agents use; put in the certificate"
    )
    username: str = _setting("", "external broker: our own account")
    password_file: str = _setting("", "external broker: file with its password")
    ca_file: str = _setting("", "external broker: CA that signed its certificate")
    tls: bool = _setting(True, "external broker: use TLS")


@dataclass(frozen=True, slots=True)
class EnrolSettings:
    """Where new machines get their identity: HTTPS with a certificate of our own authority."""

    host: str = _setting("", "address to listen on; empty: as [broker] host")
    port: int = field(
        default=8443,
        metadata={
            "help": "port to listen on; 0: off, machines enrol at [web]",
            "minimum": 0,
            "maximum": 65535,
        },
    )


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the series are kept."""

    kind: StoreKind = _setting(StoreKind.EMBEDDED, "embedded: a SQLite file; influxdb: a server")
    url: str = _setting("http://127.0.0.1:8086", "influxdb: address of the server")
    version: int = field(default=1, metadata={"help": "influxdb: 1, 2 or 3", "minimum": 1, "maximum": 3})
    database: str = _setting("hatang", "influxdb: database (1, 3) or bucket prefix (2)")
    org: str = _setting("", "influxdb 2: organisation")
    username: str = _setting("", "influxdb 1: account, when authentication is on")
    password_file: str = _setting("", "influxdb 1: file with its password")
    token_file: str = _setting("", "influxdb 2 and 3: file with the token")


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Units, machines, receipts, facts, users."""

    url: str = _setting("", "empty: SQLite in the data folder; or postgresql+psycopg://user@host/database")


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long things are kept, in days."""

    journal_pc_days: int = _setting(60, "reports of office computers")
    journal_probe_days: int = _setting(400, "reports of site probes")
    raw_days: int = _setting(30, "series as measured")
    five_minute_days: int = _setting(400, "five-minute rollups")
    hourly_days: int = _setting(1100, "hourly rollups")
    receipts_days: int = _setting(400, "which report arrived when; the counts stay for ever")
    old_facts_days: int = _setting(1100, "facts that are no longer true, e.g. a disk taken out")
    dead_letter_mb: int = _setting(256, "megabytes of refused messages")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the collector can be told."""

    web: WebSettings = field(default_factory=WebSettings)
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    enrol: EnrolSettings = field(default_factory=EnrolSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    log_level: LogLevel = _setting(LogLevel.INFO, "debug, info, warning or error")

    @property
    def url(self) -> str:
        """Where people find the board."""
        host = "127.0.0.1" if self.web.host in {"0.0.0.0", "::"} else self.web.host  # noqa: S104 - compared
        return self.web.public_url or f"http://{host}:{self.web.port}"

    @property
    def enrol_listener(self) -> tuple[str, int] | None:
        """(address, port) where new machines enrol; None: at the pages.

        The host of an external broker is not an address of ours, so there ours must be given.
        """
        host = self.enrol.host or (self.broker.host if self.broker.mode is BrokerMode.EMBEDDED else "")
        return (host, self.enrol.port) if host and self.enrol.port else None


def config_path(data: Path, config: Path | None) -> Path:
    """The settings file: the one named, else ``collector.toml`` in the data folder."""
    return config or data / "collector.toml"


def load_settings(data: Path, config: Path | None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file, if it is there, and the environment. Raises ConfigError.

    A file that was named but is not there is an error; the default one may be absent.
    """
    path = config_path(data, config)
    text = ""
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    elif config is not None:
        raise ConfigError(f"{path}: no such file; make one with: hatang-collector sample-config > {path}")
    return strictconfig.load(Settings, text, str(path), os.environ if environ is None else environ)
