"""What the system knows about processes and ports: whose they are, and how a child is started."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import threading
from pathlib import Path
from typing import Final

from hatang_collector.broker.contract import BrokerError
from hatang_collector.broker.private_files import Owner

_NAME: Final = "mosquitto"
_USER: Final = "mosquitto"


def run_as() -> Owner | None:
    """As root: the user the broker is run as, so that a flaw in it does not open the machine.

    None: as ourselves, because we are not root. Raises BrokerError when that user does not exist.
    """
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam(_USER)
    except KeyError:
        raise BrokerError(
            f"there is no user '{_USER}' to run the broker as; create it (adduser --system --group {_USER})"
        ) from None
    return Owner(user.pw_uid, user.pw_gid)


def ending_with_parent(argv: list[str]) -> list[str]:
    """The command, set to get SIGTERM when the thread that starts it ends (prctl(2), PR_SET_PDEATHSIG).

    By util-linux's ``setpriv``, because Python code between fork and exec can lock up a program with
    threads. Where it is missing, an orphan is ended at the next start (:func:`end_orphans`).
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else argv


def orphans(folder: Path, proc: Path = Path("/proc")) -> list[int]:
    """Process ids of brokers that run in our folder, or did until it was wiped, whatever the port."""
    places = {str(folder), f"{folder} (deleted)"}  # proc(5): what the link says of a removed folder
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = (entry / "comm").read_text(encoding="utf-8").strip()
            if name == _NAME and str((entry / "cwd").readlink()) in places:
                found.append(int(entry.name))
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


def end_orphans(folder: Path, patience_s: float = 5.0) -> int:
    """End brokers that outlived their collector: ask, then force. Number of them."""
    left = found = orphans(folder)
    pause = threading.Event()
    for how, seconds in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 1.0)):
        for pid in left:
            _signal(pid, how)
        for _ in range(round(seconds / 0.05)):
            left = [pid for pid in orphans(folder) if pid in found]
            if not left:
                return len(found)
            pause.wait(0.05)
    raise BrokerError(f"a former broker (process {left[0]}) does not end; end it with: kill -9 {left[0]}")


def _signal(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return
    except PermissionError:
        raise BrokerError(
            f"a former broker (process {pid}) belongs to another user; end it with: sudo kill {pid}"
        ) from None


def check_port(host: str, port: int, *, privileged: bool = True) -> None:
    """Raise BrokerError naming port and setting when the broker could not listen there.

    Not ``privileged``: it will run as a user that may not take the system's own ports.
    """
    host_setting, port_setting = (
        f"[broker] {name} in collector.toml or HATANG_BROKER_{name.upper()}" for name in ("host", "port")
    )
    if not privileged and port < _first_open_port():
        raise BrokerError(
            f"port {port} is kept for programs of root, and the broker is none; set {port_setting}"
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise BrokerError(f"{host} is not an address ({error.strerror}); set {host_setting}") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise BrokerError(f"port {port} is taken by another program; set {port_setting}") from error
            if error.errno == errno.EADDRNOTAVAIL:
                raise BrokerError(f"{host} is not an address of this machine; set {host_setting}") from error
            raise BrokerError(
                f"cannot listen on {host}:{port} ({error.strerror}); set {port_setting}"
            ) from error


def _first_open_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1024


def free_port(among: range = range(20_000, 32_000)) -> int:
    """A loopback port that nobody listens on at this moment.

    Below the ports that systems give to outgoing connections (from 32768 on, on Linux), so that it
    is still free when the broker has to be started again.
    """
    for _ in range(100):
        port = secrets.choice(among)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BrokerError(f"no port is free between {among.start} and {among.stop}; is something using them up?")


def answers(port: int) -> bool:
    """Whether something takes connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


class FolderLock:
    """Held by one collector for as long as it lives; a second one must not end the first one's broker."""

    def __init__(self, folder: Path) -> None:
        self._path = folder.with_name(f"{folder.name}.lock")
        self._file: int | None = None

    def take(self) -> None:
        """Raises BrokerError when another collector has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BrokerError(
                f"another collector uses {self._path.parent}; stop it, or give this one another data folder"
            ) from None
        self._file = descriptor

    def give(self) -> None:
        """Let the next one have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
