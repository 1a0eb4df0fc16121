"""A recorded machine instead of this one: the files and answers that somebody brought home.

Layout of the folder::

    meta.json             {"platform": "windows", "release": "10", "now": "2026-11-20T08:00:00Z"}
    files/…               a root tree
    files-later/…         optional: what had changed at the second reading (after a probe's wait)
    commands.json         [{"argv": ["df", "-P", "-k"], "stdout": "df.txt", "exit": 0}]
    registry/*.reg        Windows exports, UTF-16 or UTF-8, merged
    wmi/<namespace>/<class>.json    a list of objects, property names as WMI has them
    network.json          optional: [{"path": "eth0", "asked": "icmp 10.0.0.1", "rtts_ms": [1.2]}]

The clock stands still: a recording is one instant. Only with ``files-later`` does a wait move it.
"""

# ruff: noqa: D102 - System documents the methods
from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatang_agent.system import (
    BOOT_ID_FILE,
    CommandMissing,
    Output,
    System,
    UsageFacade,
)
from hatang_agent.system_windows import full_key, wmi_date_ms

if TYPE_CHECKING:
    from hatang_agent.system_network import NetworkFacade

PLATFORMS = ("linux", "windows", "macos")


class ReplayError(Exception):
    """A recorded machine cannot be read. One line with the place, the cause and the next step."""


class ReplaySystem:
    """A recorded machine in a folder. Raises ReplayError when the folder is not one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        meta = _json(directory / "meta.json")
        if meta is None:
            raise ReplayError(f"{directory / 'meta.json'}: not found; name the folder of a recorded machine")
        self.platform = str(meta.get("platform", ""))
        if self.platform not in PLATFORMS:
            raise ReplayError(
                f"{directory / 'meta.json'}: platform is {self.platform!r}; "
                f"write one of {', '.join(PLATFORMS)}"
            )
        self.release = str(meta.get("release", ""))
        self.machine = str(meta.get("machine", ""))
        self._host_name = str(meta.get("host_name", ""))
        self.environ: Mapping[str, str] = {}
        self._now_ms = _instant_ms(meta.get("now", "1970-01-01T00:00:00Z"), directory / "meta.json")
        self._waited_ms = 0
        self._roots = [directory / "files"]
        self._commands = {
            tuple(entry["argv"]): entry for entry in _json(directory / "commands.json", list) or []
        }
        self._registry: dict[str, tuple[str, dict[str, Any]]] | None = None
        self.usage: UsageFacade = _usage(self)
        self.network: NetworkFacade = _network(directory)

    def wall_ms(self) -> int:
        return self._now_ms + self._waited_ms

    def boot_ms(self) -> int:
        first_reading = self._find("/proc/uptime", self._roots[-1:])
        if self.platform == "linux" and first_reading is not None:
            return int(float(first_reading.read_text(encoding="ascii").split()[0]) * 1000) + self._waited_ms
        for found in self.wmi("root/cimv2", "Win32_OperatingSystem", ["LastBootUpTime"]):
            booted_ms = wmi_date_ms(found.get("LastBootUpTime"))
            if booted_ms is not None and self._now_ms >= booted_ms:
                return self._now_ms - booted_ms + self._waited_ms
        return self._waited_ms

    def boot_id(self) -> str:
        if self.platform == "windows":
            from hatang_agent import system_windows

            return system_windows.boot_id(self)
        if self.platform == "macos":
            from hatang_agent import system_macos

            with contextlib.suppress(CommandMissing):
                return system_macos.boot_id(self)
        return (self.read_text(BOOT_ID_FILE) or "").strip()

    def wait(self, seconds: float) -> None:
        later = self._directory / "files-later"
        if later.is_dir():
            self._waited_ms += int(seconds * 1000)
            self._roots = [later, self._directory / "files"]

    def random(self) -> float:
        return 0.0

    def random_hex(self, digits: int) -> str:
        return "0" * digits

    def host_name(self) -> str:
        return self._host_name or (self.read_text("/etc/hostname") or "").strip()

    def privileged(self) -> bool:
        return False

    def _find(self, path: str, roots: Sequence[Path] | None = None) -> Path | None:
        for root in roots or self._roots:
            found = root / path.lstrip("/")
            try:
                real = found.resolve(strict=True)
            except (OSError, RuntimeError):
                continue
            if real.is_relative_to(self._directory.resolve()):  # a link must not lead to this machine
                return real
        return None

    def read_text(self, path: str) -> str | None:
        found = self._find(path)
        return found.read_bytes().decode(errors="replace") if found and found.is_file() else None

    def list_dir(self, path: str) -> list[str]:
        found = self._find(path)
        return sorted(entry.name for entry in found.iterdir()) if found and found.is_dir() else []

    def link_target(self, path: str) -> str | None:
        link = self._directory / "files" / path.lstrip("/")
        return str(link.readlink()) if link.is_symlink() else None

    def run(self, argv: Sequence[str], timeout_s: float) -> Output:  # noqa: ARG002 - answers at once
        entry = self._commands.get(tuple(argv))
        if entry is None:
            raise CommandMissing(argv)
        texts = [self._recorded(entry.get(name, "")) for name in ("stdout", "stderr")]
        return Output(texts[0], texts[1], int(entry.get("exit", 0)))

    def _recorded(self, name: str) -> str:
        if not name:
            return ""
        try:
            return (self._directory / name).read_bytes().decode(errors="replace")
        except OSError as error:
            raise ReplayError(
                f"{self._directory / name}: named in commands.json but not there; record it"
            ) from error

    def _keys(self) -> dict[str, tuple[str, dict[str, Any]]]:
        if self._registry is None:
            self._registry = {}
            for path in sorted((self._directory / "registry").glob("*.reg")):
                for key, values in parse_reg(path.read_bytes()).items():
                    self._registry.setdefault(key.lower(), (key, {}))[1].update(values)
        return self._registry

    def registry(self, key: str) -> Mapping[str, Any] | None:
        found = self._keys().get(full_key(key).lower())
        return found[1] if found else None

    def registry_keys(self, key: str) -> list[str]:
        above = full_key(key).lower() + "\\"
        below = (name for lower, (name, _) in self._keys().items() if lower.startswith(above))
        return sorted({name[len(above) :].split("\\")[0] for name in below})

    def wmi(self, namespace: str, name: str, properties: Sequence[str]) -> list[Mapping[str, Any]]:
        wanted = _plain_namespace(namespace)
        for path in (self._directory / "wmi").rglob("*.json"):
            folder = path.parent.relative_to(self._directory / "wmi").as_posix()
            if path.stem.lower() == name.lower() and _plain_namespace(folder) == wanted:
                return [{key: one.get(key) for key in properties} for one in _json(path, list) or []]
        return []


def _usage(system: System) -> UsageFacade:
    from hatang_agent.system_replay_usage import RecordedUsage

    return RecordedUsage(system)


def _network(directory: Path) -> NetworkFacade:
    from hatang_agent.system_network import RecordedNetwork

    path = directory / "network.json"
    try:
        return RecordedNetwork(_json(path, list) or [])
    except (AttributeError, ValueError) as error:
        raise ReplayError(f"{path}: not a list of questions ({error}); see docs/probes.md") from error


def _plain_namespace(text: str) -> str:
    return re.sub(r"[\\/_]+", "/", text.lower()).removeprefix("root/")


def _json(path: Path, kind: type = dict) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ReplayError(f"{path}: not JSON ({error}); record it again") from error
    if not isinstance(found, kind):
        raise ReplayError(f"{path}: expected a {kind.__name__} at the top; see docs/probes.md")
    return found


def _instant_ms(text: Any, path: Path) -> int:
    instant = wmi_date_ms(str(text).replace(" ", "T"))
    if instant is None:
        raise ReplayError(f"{path}: now is {text!r}; write UTC as 2026-11-20T08:00:00Z")
    return instant


_VALUE = re.compile(r'(?:@|"((?:[^"\\]|\\.)*)")=(.*)', re.DOTALL)


def parse_reg(content: bytes) -> dict[str, dict[str, Any]]:
    """Keys and values of a registry export ("Windows Registry Editor Version 5.00").

    The default value of a key has the empty name; dword and qword are int, multi-strings lists,
    binary values bytes. Lines that are none of this are passed over.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = re.sub(r"\\\r?\n\s*", "", content.decode(encoding, errors="replace"))
    keys: dict[str, dict[str, Any]] = {}
    here: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith("[") and line.rstrip().endswith("]"):
            here = keys.setdefault(full_key(line.rstrip()[1:-1]), {})
        elif found := _VALUE.fullmatch(line.strip()):
            with contextlib.suppress(ValueError):  # digits that are none
                here[_unescape(found[1] or "")] = _reg_value(found[2])
    return keys


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _reg_value(text: str) -> Any:
    if text.startswith('"'):
        return _unescape(text[1:-1])
    kind, _, data = text.partition(":")
    if kind == "dword":
        return int(data, 16)
    octets = bytes(int(part, 16) for part in data.split(",") if part.strip())
    if kind == "hex(b)":
        return int.from_bytes(octets, "little")
    if kind in ("hex(2)", "hex(1)"):
        return octets.decode("utf-16-le", errors="replace").rstrip("\0")
    if kind == "hex(7)":
        return [part for part in octets.decode("utf-16-le", errors="replace").split("\0") if part]
    return octets
