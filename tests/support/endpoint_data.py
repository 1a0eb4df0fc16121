"""Recorded outputs of machines (``shared/data/endpoint``) laid out as a folder for ``--replay``."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hatang_agent.system_replay import ReplaySystem

NAMESPACES: Mapping[str, str] = {
    "MSFT_NetAdapter": "root/StandardCimv2",
    "MSFT_NetConnectionProfile": "root/StandardCimv2",
    "MSFT_NetFirewallProfile": "root/StandardCimv2",
    "MSFT_PhysicalDisk": "root/Microsoft/Windows/Storage",
    "MSFT_StorageReliabilityCounter": "root/Microsoft/Windows/Storage",
    "MSFT_MpComputerStatus": "root/Microsoft/Windows/Defender",
    "AntiVirusProduct": "root/SecurityCenter2",
    "BatteryStatus": "root/WMI",
    "MSStorageDriver_FailurePredictStatus": "root/WMI",
    "Win32_EncryptableVolume": "root/cimv2/Security/MicrosoftVolumeEncryption",
}
"""Where a class lives when it is not ``root/cimv2``."""


def wmi_objects(content: bytes) -> list[dict[str, Any]]:
    """Objects of a ``Name=Value`` export (``wmic … get /format:list``), UTF-16 or UTF-8.

    Numbers stay texts, as some hosts of WMI give them; TRUE, FALSE, empty and ``{…}`` become JSON.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    found: list[dict[str, Any]] = [{}]
    for line in content.decode(encoding, errors="replace").splitlines():
        name, equals, text = line.partition("=")
        if not equals or line.startswith("#"):
            continue
        if name in found[-1]:
            found.append({})
        found[-1][name] = _value(html.unescape(text.strip()))
    return [one for one in found if one]


def _value(text: str) -> object:
    if text.startswith("{") and text.endswith("}") and '"' in text:
        return [part.strip().strip('"') for part in text[1:-1].split(",")]
    return {"TRUE": True, "FALSE": False, "": None}.get(text, text)


class Recording:
    """A recorded machine that is being laid out in a folder; each method adds to it."""

    def __init__(self, folder: Path, platform: str, **meta: str) -> None:
        self.folder = folder
        self._commands: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)
        written = {"platform": platform, "release": "", "now": "2026-11-20T01:30:00Z", **meta}
        (folder / "meta.json").write_text(json.dumps(written))

    def wmi(self, name: str, objects: Sequence[Mapping[str, Any]], namespace: str = "") -> Recording:
        """Objects of a class, as JSON has them."""
        folder = self.folder / "wmi" / (namespace or NAMESPACES.get(name, "root/cimv2"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(list(objects)))
        return self

    def registry(self, name: str, content: bytes | str) -> Recording:
        """A registry export."""
        (self.folder / "registry").mkdir(exist_ok=True)
        (self.folder / "registry" / f"{name}.reg").write_bytes(_bytes(content))
        return self

    def command(
        self, argv: Sequence[str], stdout: bytes | str = "", *, stderr: str = "", status: int = 0
    ) -> Recording:
        """What a command printed."""
        number = len(self._commands)
        entry: dict[str, Any] = {"argv": list(argv), "exit": status}
        for key, content in (("stdout", stdout), ("stderr", stderr)):
            entry[key] = f"{number}-{key}.txt"
            (self.folder / entry[key]).write_bytes(_bytes(content))
        self._commands.append(entry)
        (self.folder / "commands.json").write_text(json.dumps(self._commands))
        return self

    def file(self, path: str, content: bytes | str) -> Recording:
        """A file of the machine by its absolute path."""
        place = self.folder / "files" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_bytes(content))
        return self

    def link(self, path: str, target: str) -> Recording:
        """A link of the machine."""
        place = self.folder / "files" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
        return self

    def system(self) -> ReplaySystem:
        """The machine."""
        return ReplaySystem(self.folder)


def _bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


def windows_machine(endpoint: Path, name: str, folder: Path, **meta: str) -> Recording:
    """The WMI and registry exports whose files begin with ``name-``, as a recording."""
    recording = Recording(folder, "windows", **meta)
    for path in sorted((endpoint / "windows/wmi").glob(f"{name}-*.wmi")):
        recording.wmi(path.stem.removeprefix(f"{name}-"), wmi_objects(path.read_bytes()))
    for path in sorted((endpoint / "windows/registry").glob(f"{name}-*.reg")):
        recording.registry(path.stem, path.read_bytes())
    return recording


def expected(endpoint: Path, name: str) -> dict[str, Any]:
    """What the collection says of one of its recordings."""
    found: dict[str, Any] = json.loads((endpoint / "expected.json").read_text(encoding="utf-8"))[name]
    return found


def once(probe: str, recording: Recording | Path, *options: str) -> dict[str, Any]:
    """What ``hatang-agent once PROBE --replay DIR --json`` prints, as a process of its own."""
    folder = recording.folder if isinstance(recording, Recording) else recording
    argv = [sys.executable, "-m", "hatang_agent", "once", probe, "--replay", str(folder), "--json", *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    run: dict[str, Any] = json.loads(done.stdout)
    return run


def facts(run: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Fields of the facts of a kind by key, from the JSON of a run."""
    return {one["key"]: one["fields"] for one in run.get("facts", []) if one["kind"] == kind}
