"""Where Debian's mosquitto is, and the configuration it gets: pure text from data."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hatang_collector.broker.contract import BrokerError

CONFIGURATION: Final = "mosquitto.conf"
DYNSEC: Final = "dynamic-security.json"
CERTIFICATE: Final = "server.pem"
KEY: Final = "server.key"
STORE: Final = "mosquitto.db"
MAX_PACKET: Final = 1024 * 1024
MAX_QUEUED: Final = 100_000
MAX_QUEUED_BYTES: Final = 48 * 1024 * 1024
_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_PLUGIN: Final = "mosquitto_dynamic_security.so"
_INSTALL: Final = 'install it (apt-get install mosquitto) or set [broker] mode = "external" in collector.toml'


@dataclass(frozen=True, slots=True)
class Program:
    """The installed broker and its account plugin."""

    mosquitto: Path
    plugin: Path


def find_program(path: str | None = None, libraries: Path = Path("/usr/lib")) -> Program:
    """The mosquitto of this machine; ``path`` replaces PATH. Raises BrokerError saying how to get it."""
    searched = os.pathsep.join((os.environ.get("PATH", ""), *_SBIN)) if path is None else path
    mosquitto = shutil.which("mosquitto", path=searched)
    if mosquitto is None:
        raise BrokerError(f"mosquitto is not installed; {_INSTALL}")
    # Debian keeps libraries in one folder per architecture, /usr/lib/x86_64-linux-gnu
    for plugin in (libraries / _PLUGIN, *sorted(libraries.glob(f"*/{_PLUGIN}"))):
        if plugin.is_file():
            return Program(Path(mosquitto), plugin)
    raise BrokerError(f"mosquitto is here, but not its {_PLUGIN} (version 2.0 or newer); {_INSTALL}")


def configuration(program: Program, agents: tuple[str, int], own_port: int) -> str:
    """``mosquitto.conf`` with paths relative to the folder it is started in.

    Queues are bounded per client, by bytes and by a number that many tiny messages reach first. The
    default of 1,000 silently dropped messages that were PUBACKed; 0 (no limit) makes Mosquitto 2.0.11
    disconnect a client after any publish that it denies.
    """
    host, port = agents
    lines = [
        "per_listener_settings false",
        "allow_anonymous false",
        f"plugin {program.plugin}",
        f"plugin_opt_config_file {DYNSEC}",
        "persistence true",
        "persistence_location ./",
        "autosave_interval 5",
        "persistent_client_expiration 1d",
        f"max_queued_messages {MAX_QUEUED}",
        f"max_queued_bytes {MAX_QUEUED_BYTES}",
        "max_inflight_messages 2000",
        f"max_packet_size {MAX_PACKET}",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_timestamp false",
        *(f"log_type {kind}" for kind in ("error", "warning", "notice", "information")),
        f"listener {port} {host}".rstrip(),
        "tls_version tlsv1.2",
        f"certfile {CERTIFICATE}",
        f"keyfile {KEY}",
        f"listener {own_port} 127.0.0.1",  # last: once it answers, the agents' one does too
    ]
    return "\n".join(lines) + "\n"
