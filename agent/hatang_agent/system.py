"""The seam to the operating system: every clock, random number, file, command and counter.

Probes and the rest of the agent see only :class:`System`. :class:`LocalSystem` is this machine;
:class:`hatang_agent.system_replay.ReplaySystem` is a recorded one. What only one kind of system
has lives in ``system_windows.py`` and ``system_macos.py`` and is imported when it is asked for.
"""

# ruff: noqa: D102 - System documents the methods, LocalSystem only keeps the promise
from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hatang_agent.system_network import NetworkFacade

MAX_OUTPUT = 4 * 1024 * 1024
"""Characters of a command's output that are kept."""
MAX_FILE = 4 * 1024 * 1024
"""Bytes of a file that are read."""

CHUNK = 64 * 1024

_NOTHING_TO_TELL = (errno.EINVAL, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP, errno.ENODATA)
"""What drivers answer when a file of /sys means nothing now: the link speed of a card that is down."""

BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"


class CommandMissing(Exception):  # noqa: N818 - an outcome, not an error
    """The program is not installed here (or was not recorded). ``argv`` is what was asked for."""

    def __init__(self, argv: Sequence[str]) -> None:
        super().__init__(f"command not found: {' '.join(argv)}")
        self.argv = tuple(argv)


class CommandTimeout(Exception):  # noqa: N818 - an outcome, not an error
    """The program did not end in time and was killed."""

    def __init__(self, argv: Sequence[str], timeout_s: float) -> None:
        super().__init__(f"command took longer than {timeout_s:g} s: {' '.join(argv)}")
        self.argv = tuple(argv)


@dataclass(frozen=True, slots=True)
class Output:
    """What a command printed, decoded as UTF-8 with broken bytes replaced, and its exit code."""

    stdout: str
    stderr: str
    exit: int


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds of all processors together since boot."""

    busy_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of memory, swap or a file system; ``available`` is what a program could still take."""

    total: int
    used: int
    available: int


@dataclass(frozen=True, slots=True)
class Interface:
    """What the system's library tells about one network interface; None where it does not tell.

    Counters are since the interface came up, in bytes or packets; the speed is in bit/s.
    """

    mac: str = ""
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    up: bool | None = None
    speed_bps: int | None = None
    counters: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Battery:
    """The system's word on mains and battery.

    ``mains``: on, off or unreadable; ``state``: charging, discharging, full, not_charging or unreadable.
    """

    mains: str
    state: str
    percent: float | None = None


class UsageFacade(Protocol):
    """Counters of the system's library, for what no file or command tells cheaply."""

    def cpu_times(self) -> CpuTimes | None:
        """Processor times, None when they are not known."""

    def memory(self) -> Space | None:
        """Physical memory."""

    def swap(self) -> Space | None:
        """Swap or page file."""

    def disks(self) -> list[str]:
        """Mount points or drives of fixed disks (Windows and macOS; Linux reads its mount table)."""

    def space(self, mount: str) -> Space | None:
        """File system of a mount point or drive; None when it cannot be read."""

    def interfaces(self) -> dict[str, Interface]:
        """Network interfaces by name."""

    def permanent_mac(self, name: str) -> str | None:
        """Address burnt into the adapter (Linux), None when it does not tell."""

    def battery(self) -> Battery | None:
        """Mains and battery (Windows and macOS; Linux reads /sys); None without a battery."""


class System(Protocol):
    """One machine. Files are text in UTF-8 with broken bytes replaced; paths are absolute."""

    @property
    def platform(self) -> str:
        """``linux``, ``windows`` or ``macos``."""

    @property
    def release(self) -> str:
        """Release of the system's kernel, ``6.1.0-18-amd64`` or ``10``."""

    @property
    def machine(self) -> str:
        """Processor architecture of the system, ``x86_64``."""

    @property
    def environ(self) -> Mapping[str, str]:
        """Environment variables."""

    @property
    def usage(self) -> UsageFacade:
        """Counters of the system's library."""

    @property
    def network(self) -> NetworkFacade:
        """Questions to other hosts."""

    def wall_ms(self) -> int:
        """UTC in milliseconds since the Unix epoch, as this machine believes it to be."""

    def boot_ms(self) -> int:
        """Milliseconds since boot, sleep included; never goes back within one boot."""

    def boot_id(self) -> str:
        """Name of this boot, another one after each start of the system; empty when unknown."""

    def wait(self, seconds: float) -> None:
        """Pause the calling thread. A recorded machine moves on to its second reading instead."""

    def random(self) -> float:
        """A number from 0 (included) to 1 (excluded)."""

    def random_hex(self, digits: int) -> str:
        """Random hexadecimal digits, good enough for secrets; ``digits`` is even."""

    def host_name(self) -> str:
        """The machine's own name. Personal: it leaves the machine only as policy allows."""

    def privileged(self) -> bool:
        """Whether this process is root or administrator."""

    def read_text(self, path: str) -> str | None:
        """A file's text, None when it is absent or cannot be read by its nature.

        PermissionError passes.
        """

    def list_dir(self, path: str) -> list[str]:
        """Sorted names in a folder, [] when it is absent."""

    def link_target(self, path: str) -> str | None:
        """Where a symbolic link points, None when it is no link."""

    def run(self, argv: Sequence[str], timeout_s: float) -> Output:
        """Run a program of the system. Raises CommandMissing and CommandTimeout."""

    def registry(self, key: str) -> Mapping[str, Any] | None:
        r"""Values of one registry key (``HKLM\…``), None when it is absent; Windows only."""

    def registry_keys(self, key: str) -> list[str]:
        """Names of the keys below one registry key, [] when it is absent."""

    def wmi(self, namespace: str, name: str, properties: Sequence[str]) -> list[Mapping[str, Any]]:
        """Objects of a WMI class with the properties asked for; [] when there is none."""


class LocalSystem:
    """This machine. ``root`` is where absolute paths begin, so that tests can lay out a tree."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self.platform = _platform()
        self.environ: Mapping[str, str] = os.environ

    @cached_property
    def release(self) -> str:
        return os.uname().release if hasattr(os, "uname") else _windows_release()

    @cached_property
    def machine(self) -> str:
        if hasattr(os, "uname"):
            return os.uname().machine
        return self.environ.get("PROCESSOR_ARCHITECTURE", "").lower()

    @cached_property
    def usage(self) -> UsageFacade:
        from hatang_agent.system_usage import LinuxUsage, PsutilUsage

        return LinuxUsage() if self.platform == "linux" else PsutilUsage()

    @cached_property
    def network(self) -> NetworkFacade:
        from hatang_agent.system_network import LiveNetwork

        return LiveNetwork()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def boot_ms(self) -> int:
        if self.platform == "linux":
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        if self.platform == "macos":
            return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000
        from hatang_agent import system_windows

        return system_windows.ticks_ms()

    @cached_property
    def _boot_id(self) -> str:
        if self.platform == "linux":
            return (self.read_text(BOOT_ID_FILE) or "").strip()
        if self.platform == "macos":
            from hatang_agent import system_macos

            return system_macos.boot_id(self)
        from hatang_agent import system_windows

        return system_windows.boot_id(self)

    def boot_id(self) -> str:
        return self._boot_id

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def random(self) -> float:
        return int.from_bytes(os.urandom(7), "big") / (1 << 56)

    def random_hex(self, digits: int) -> str:
        return os.urandom(digits // 2).hex()

    def host_name(self) -> str:
        return socket.gethostname()

    def privileged(self) -> bool:
        if hasattr(os, "geteuid"):
            return os.geteuid() == 0
        from hatang_agent import system_windows

        return system_windows.is_administrator()

    def _path(self, path: str) -> Path:
        return self._root / path.lstrip("/") if path.startswith("/") else Path(path)

    def read_text(self, path: str) -> str | None:
        try:
            with self._path(path).open("rb") as file:
                content = file.read(CHUNK)  # some files of /proc refuse to be read in large pieces
                while len(content) < MAX_FILE and (piece := file.read(CHUNK)):
                    content += piece
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            if error.errno in _NOTHING_TO_TELL:
                return None
            raise
        return content.decode(errors="replace")

    def list_dir(self, path: str) -> list[str]:
        try:
            return sorted(entry.name for entry in self._path(path).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def link_target(self, path: str) -> str | None:
        try:
            return str(self._path(path).readlink())
        except OSError:
            return None

    def run(self, argv: Sequence[str], timeout_s: float) -> Output:
        try:
            done = subprocess.run(
                list(argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                env={**self.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "C"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise CommandMissing(argv) from error
        except subprocess.TimeoutExpired as error:
            raise CommandTimeout(argv, timeout_s) from error
        stdout, stderr = (text[:MAX_OUTPUT].decode(errors="replace") for text in (done.stdout, done.stderr))
        return Output(stdout, stderr, done.returncode)

    def registry(self, key: str) -> Mapping[str, Any] | None:
        if self.platform != "windows":
            return None
        from hatang_agent import system_windows

        return system_windows.registry_values(key)

    def registry_keys(self, key: str) -> list[str]:
        if self.platform != "windows":
            return []
        from hatang_agent import system_windows

        return system_windows.registry_keys(key)

    def wmi(self, namespace: str, name: str, properties: Sequence[str]) -> list[Mapping[str, Any]]:
        if self.platform != "windows":
            return []
        from hatang_agent import system_windows

        return system_windows.wmi(self, namespace, name, properties)


def _platform() -> str:
    if sys.platform == "win32":
        return "windows"
    return "macos" if sys.platform == "darwin" else "linux"


def _windows_release() -> str:
    import platform

    return platform.release()
