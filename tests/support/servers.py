"""Real servers for tests: Debian packages on free loopback ports, each with a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.wait import until

PROGRAMS: Mapping[str, Sequence[str]] = {
    "mosquitto": ("mosquitto", "/usr/sbin/mosquitto"),
    "influxdb": ("influxd", "/usr/bin/influxd"),
    "victoria-metrics": ("victoria-metrics", "/usr/bin/victoria-metrics"),
    "postgresql": (*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), "initdb"),
    "chromium": ("chromium", "/usr/bin/chromium"),
    "iproute2": ("ip", "/usr/sbin/ip"),
    "nftables": ("nft", "/usr/sbin/nft"),
    "iptables": ("iptables", "/usr/sbin/iptables"),
    "dmidecode": ("dmidecode", "/usr/sbin/dmidecode"),
    "iputils-ping": ("ping",),
    "msitools": ("wixl",),
    "util-linux": ("lsblk",),
    "wtmpdb or util-linux": ("last",),
    "utmpdump": ("utmpdump",),
    "lintian": ("lintian",),
}


def program(package: str) -> str | None:
    """Path of a package's server program, or None when it is not installed."""
    for name in PROGRAMS[package]:
        if found := shutil.which(name):
            return found
    return None


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


def http(url: str, data: bytes | None = None, timeout: float = 10.0) -> tuple[int, bytes]:
    """Status and body of one request to a server of the test."""
    request = urllib.request.Request(url, data=data)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (urllib.error.URLError, OSError):
        return 0, b""


@dataclass
class Server:
    """One server process that can be stopped, killed and started again on the same port and folder."""

    argv: list[str]
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def ready(self) -> bool:
        """Whether it answers."""
        return listening(self.port)

    def start(self) -> None:
        """Start and wait until it answers."""
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            until(self._up, 30, f"{self.argv[0]} on port {self.port}")
        except AssertionError:
            self.kill()
            raise

    def _up(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            log = (self.folder / "log.txt").read_text(errors="replace")[-2000:]
            message = f"{self.argv} ended with {self.process.returncode}: {log}"
            raise RuntimeError(message)
        return self.ready()

    def stop(self) -> None:
        """Ask it to end; kill it after 10 s."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """End it without a word, as kill -9 does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Mosquitto(Server):
    """An anonymous broker with the queue settings that were measured to lose nothing."""

    settings: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"

    @classmethod
    def make(cls, folder: Path, **settings: str) -> Mosquitto:
        """A broker on a free port; ``settings`` are added to its configuration."""
        found = program("mosquitto") or "mosquitto"
        port = free_port()
        configuration = folder / "mosquitto.conf"
        values = {
            "allow_anonymous": "true",
            "persistence": "true",
            "persistence_location": f"{folder}/",
            "autosave_interval": "5",
            "max_queued_messages": "0",
            "max_queued_bytes": "268435456",
            "max_inflight_messages": "2000",
            **settings,
        }
        if os.geteuid() == 0:
            values.setdefault("user", "root")
        lines = [f"listener {port} 127.0.0.1", *(f"{key} {value}" for key, value in values.items())]
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return cls([found, "-c", str(configuration)], folder, port, settings=values)


@dataclass
class Influx(Server):
    """InfluxDB 1.6.7."""

    made: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        return http(f"{self.url}/ping")[0] == 204

    def database(self) -> str:
        """Name of a database not used before (not created)."""
        self.made += 1
        return f"test{self.made}"

    @classmethod
    def make(cls, folder: Path) -> Influx:
        """A server on free ports."""
        port, rpc = free_port(), free_port()
        configuration = folder / "influxdb.conf"
        configuration.write_text(
            f"""reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  index-version = "tsi1"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
""",
            encoding="utf-8",
        )
        return cls([program("influxdb") or "influxd", "-config", str(configuration)], folder, port)


@dataclass
class Victoria(Server):
    """VictoriaMetrics, which accepts the v2 write route."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        return http(f"{self.url}/health")[0] == 200

    @classmethod
    def make(cls, folder: Path) -> Victoria:
        """A server on a free port."""
        port = free_port()
        argv = [
            program("victoria-metrics") or "victoria-metrics",
            f"-storageDataPath={folder}/data",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=5y",
            "-search.latencyOffset=0s",
        ]
        return cls(argv, folder, port)


class Postgres:
    """A PostgreSQL server of its own, run as user ``postgres`` when the tests run as root."""

    def __init__(self, folder: Path) -> None:
        initdb = program("postgresql") or "initdb"
        self._bin = Path(initdb).parent
        self._folder = folder
        self.port = free_port()
        self._made = 0
        self._as: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def _run(self, *argv: str) -> None:
        done = subprocess.run(
            [*self._as, *argv], cwd="/", capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            message = f"{argv}: {done.stdout.decode()}{done.stderr.decode()}"
            raise RuntimeError(message)

    def start(self) -> None:
        """Make the cluster and start it."""
        data = self._folder / "data"
        self._run(str(self._bin / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8")
        self.resume()

    def resume(self) -> None:
        """Start it, again after :meth:`stop`."""
        data = self._folder / "data"
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self._folder / "server.log")
        self._run(str(self._bin / "pg_ctl"), "-D", str(data), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._run(
            str(self._bin / "pg_ctl"), "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop"
        )

    def database(self) -> str:
        """SQLAlchemy URL of a fresh database."""
        self._made += 1
        name = f"test{self._made}"
        self._run(
            str(self._bin / "createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name
        )
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"
