"""Offices beside this machine: each box a network namespace with a line to the host and hardware of its own.

What runs in a box sees its own network and its own makers' numbers, so an agent there is a machine of
its own to everybody, without a change to the agent. Needs root and iproute2.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import uuid4

from support.stack import environment

# /sys/class shows the numbers of this box and its own network cards; disks of the host are not its own
_INSIDE = """
set -e
mount -t tmpfs lab "$LAB_HARDWARE"
mkdir -p "$LAB_HARDWARE/dmi/id" "$LAB_HARDWARE/net"
printf '%s\\n' "$LAB_UUID" > "$LAB_HARDWARE/dmi/id/product_uuid"
printf '%s\\n' "$LAB_BOARD" > "$LAB_HARDWARE/dmi/id/board_serial"
mount --bind /sys/class/net "$LAB_HARDWARE/net"
mount --rbind "$LAB_HARDWARE" /sys/class
[ ! -d /sys/block ] || mount -t tmpfs lab /sys/block
exec "$@"
"""


@cache
def no_namespaces() -> str | None:
    """Why there can be no namespaces here, None when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "network namespaces are not allowed here"


def ip(*words: str) -> None:
    """One command of iproute2 that must succeed."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass
class Box:
    """One machine: ``host`` is the address by which it reaches us on its own line."""

    name: str
    folder: Path
    host: str
    address: str
    uuid: str = field(default_factory=lambda: str(uuid4()))
    board: str = field(default_factory=lambda: f"CNFCW{uuid4().hex[:12].upper()}")
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command in the box, run to its end."""
        return subprocess.run(
            self._argv(argv), env=self._env(more), capture_output=True, text=True, check=False, timeout=60
        )

    def start(self, *argv: str, **more: str) -> subprocess.Popen[bytes]:
        """A command in the box that goes on; its output is in ``log.txt`` of the folder."""
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                self._argv(argv), env=self._env(more), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.running.append(process)
        return process

    def stop(self) -> None:
        """End what runs in it."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def said(self) -> str:
        """What its commands have printed."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _argv(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, "sh", "-c", _INSIDE, "sh", *argv]

    def _env(self, more: dict[str, str]) -> dict[str, str]:
        hardware = self.folder / "hardware"
        hardware.mkdir(exist_ok=True)
        numbers = {"LAB_HARDWARE": str(hardware), "LAB_UUID": self.uuid, "LAB_BOARD": self.board}
        return environment(**numbers, **more)


@dataclass
class Lab:
    """Makes boxes and takes them away. Each has a line of its own to the host, which is its way out."""

    folder: Path
    boxes: list[Box] = field(default_factory=list)

    def box(self) -> Box:
        """One more box, with its network up. Addresses are of RFC 2544: for tests, nobody's."""
        number, pid = len(self.boxes), os.getpid()
        name = f"ht{pid}x{number}"
        net = f"198.{18 + (pid >> 8) % 2}.{pid % 256}"
        box = Box(name, self.folder / name, f"{net}.{4 * number + 1}", f"{net}.{4 * number + 2}")
        box.folder.mkdir()
        self.boxes.append(box)
        ip("netns", "add", name)
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("addr", "add", f"{box.host}/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "addr", "add", f"{box.address}/30", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "route", "add", "default", "via", box.host)
        return box

    def close(self) -> None:
        """Stop everything in the boxes and take them away; a line goes with its box."""
        for box in self.boxes:
            box.stop()
            subprocess.run(["ip", "link", "del", box.name], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", box.name], check=False, capture_output=True)
