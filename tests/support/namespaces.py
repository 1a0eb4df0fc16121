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


@dataclass
class Network:
    """A network beside this machine, such as CPNet: a switch, a router, and hosts behind it that answer.

    Nothing leads from one to another. ``target`` and ``target6`` answer to echo requests; what else
    answers is started with :meth:`start`.
    """

    name: str
    number: int
    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def gateway(self) -> str:
        """Address of its router."""
        return f"10.{self.number}.0.1"

    @property
    def target(self) -> str:
        """Address of the host that answers."""
        return f"10.{self.number}.99.1"

    @property
    def target6(self) -> str:
        """IPv6 address of the host that answers."""
        return f"fd00:{self.number}:99::1"

    def start(self, *argv: str, **more: str) -> subprocess.Popen[bytes]:
        """A command in the network that goes on; its output is in ``log.txt`` of the folder."""
        with (self.folder / "log.txt").open("ab") as log:
            words = ["ip", "netns", "exec", self.name, *argv]
            process = subprocess.Popen(
                words, env=environment(**more), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.running.append(process)
        return process

    def set(self, key: str, value: object) -> None:
        """One setting of its kernel: ``net/ipv4/icmp_echo_ignore_all``."""
        ip("netns", "exec", self.name, "sh", "-c", f"echo {value} > /proc/sys/{key}")


@dataclass
class Cable:
    """A line from a box to a network; the box's end keeps its addresses when it is plugged elsewhere."""

    box: Box
    device: str
    port: str
    place: int
    network: Network

    def plug(self, network: Network) -> None:
        """Pull it out of its network and put it into another one."""
        ip("-n", self.network.name, "link", "set", self.port, "netns", network.name)
        self.network = network
        ip("-n", network.name, "link", "set", self.port, "master", "lan")
        ip("-n", network.name, "link", "set", self.port, "up")

    def cut(self) -> None:
        """Switch off the far end: the box sees no carrier."""
        ip("-n", self.network.name, "link", "set", self.port, "down")

    def mend(self) -> None:
        """Switch the far end on again."""
        ip("-n", self.network.name, "link", "set", self.port, "up")


@dataclass
class Wiring:
    """Networks and the cables to them, beside the boxes of a lab; :meth:`close` takes the networks away."""

    folder: Path
    networks: list[Network] = field(default_factory=list)
    cables: list[Cable] = field(default_factory=list)

    def network(self, number: int) -> Network:
        """One more network: its LAN is 10.NUMBER.0.0/24 and fd00:NUMBER::/64."""
        name = f"hn{os.getpid()}x{number}"
        network = Network(name, number, self.folder / name)
        network.folder.mkdir()
        self.networks.append(network)
        ip("netns", "add", name)
        network.set("net/ipv6/conf/default/accept_dad", 0)
        network.set("net/ipv4/ip_forward", 1)
        network.set("net/ipv6/conf/all/forwarding", 1)
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "add", "lan", "type", "bridge", "forward_delay", "0")
        ip("-n", name, "addr", "add", f"{network.gateway}/24", "dev", "lan")
        ip("-n", name, "-6", "addr", "add", f"fd00:{number}::1/64", "dev", "lan")
        ip("-n", name, "link", "set", "lan", "up")
        ip("-n", name, "addr", "add", f"{network.target}/32", "dev", "lo")
        ip("-n", name, "-6", "addr", "add", f"{network.target6}/128", "dev", "lo")
        return network

    def cable(self, box: Box, network: Network, device: str = "eth1", *, routes: bool = True) -> Cable:
        """Lay a cable; the box gets an address of the network's LAN, and with ``routes`` all ways through it.

        The place in the last octet is that of the cable, so addresses never meet in one network.
        """
        place = 10 + len(self.cables)
        port = f"p{place}"
        cable = Cable(box, device, port, place, network)
        self.cables.append(cable)
        peer = ["type", "veth", "peer", "name", device, "netns", box.name]
        ip("-n", network.name, "link", "add", port, *peer)
        ip("-n", network.name, "link", "set", port, "master", "lan")
        ip("-n", network.name, "link", "set", port, "up")
        ip("netns", "exec", box.name, "sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/{device}/accept_dad")
        self._give_addresses(cable, routes=routes)
        return cable

    def move(self, cable: Cable, network: Network) -> None:
        """Pull a cable out and put it into another network, which gives the box other addresses."""
        cable.plug(network)
        ip("-n", cable.box.name, "addr", "flush", "dev", cable.device)
        self._give_addresses(cable, routes=True)

    @staticmethod
    def _give_addresses(cable: Cable, *, routes: bool) -> None:
        """As a network does. The line to the host is left for the host alone."""
        name, number, place = cable.box.name, cable.network.number, cable.place
        ip("-n", name, "addr", "add", f"10.{number}.0.{place}/24", "dev", cable.device)
        ip("-n", name, "-6", "addr", "add", f"fd00:{number}::{place}/64", "dev", cable.device)
        ip("-n", name, "link", "set", cable.device, "up")
        to_host = ["ip", "-n", name, "route", "del", "default", "via", cable.box.host]
        subprocess.run(to_host, check=False, capture_output=True)  # it is gone with the first cable
        if routes:
            rest = ["dev", cable.device, "metric", str(100 + place)]
            ip("-n", name, "route", "add", "default", "via", cable.network.gateway, *rest)
            ip("-n", name, "-6", "route", "replace", "default", "via", f"fd00:{number}::1", *rest)

    def close(self) -> None:
        """Stop what runs in the networks and take them away with their ends of the cables."""
        for network in self.networks:
            for process in network.running:
                process.kill()
                process.wait()
            subprocess.run(["ip", "netns", "del", network.name], check=False, capture_output=True)
