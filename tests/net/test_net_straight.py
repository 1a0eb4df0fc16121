"""Packets past the routes: what they are made of is read back, and a real second gateway is reached."""

from __future__ import annotations

import json
import socket
import struct
import sys

import pytest

from hatang_agent.net import icmp, straight
from hatang_agent.net.answer import Outcome
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import NetPath
from support.namespaces import Lab, Wiring, ip

SCRIPT = """
import json, sys, time
from dataclasses import asdict
from hatang_agent.net import icmp, reach, targets
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import NetPath
clocks = Clocks(time.perf_counter_ns, time.time_ns)
path, target = NetPath(**json.loads(sys.argv[1])), targets.parse(sys.argv[2])
if target.method == "icmp":
    found = icmp.ping(target.host, clocks, path, count=2, gap_s=0.05, timeout_s=0.5)
else:
    found = reach.ask(target, target.host, clocks, 0.7, path)
print(json.dumps([found.outcome, found.tied, found.detail]))
"""


def test_both_gateways_of_one_interface_are_told_apart(lab: Lab, wiring: Wiring) -> None:
    """Echoes, open and refused ports go by the gateway that the routes would not take, and by it alone."""
    box, router, lan = lab.box(), lab.box(), wiring.network(71)
    wiring.cable(box, lan)
    wiring.cable(router, lan, routes=False)
    other, behind = "10.71.0.11", "10.90.0.1"
    ip("-n", router.name, "addr", "add", f"{behind}/32", "dev", "lo")
    router.start(sys.executable, "-m", "http.server", "80", "--bind", behind)

    def ask(gateway: str, target: str) -> list[str]:
        path = {"name": "x", "device": "eth1", "ipv4": "10.71.0.10", "gateway": gateway, "straight": True}
        done = box.run(sys.executable, "-c", SCRIPT, json.dumps(path), f"x {target}")
        assert done.returncode == 0, done.stderr
        found: list[str] = json.loads(done.stdout)
        return found

    assert ask(other, f"icmp {behind}") == ["answered", "next_hop", ""]
    assert ask(lan.gateway, f"icmp {behind}")[0] in ("timeout", "unreachable")
    assert ask(lan.gateway, f"icmp {lan.target}") == ["answered", "next_hop", ""]
    assert ask(other, f"tcp {behind}:80") == ["answered", "next_hop", ""]
    assert ask(other, f"http http://{behind}/") == ["answered", "next_hop", ""], "whether the port is there"
    assert ask(other, f"tcp {behind}:81") == ["refused", "next_hop", "refused"]
    assert ask(lan.gateway, f"tcp {behind}:80")[0] == "timeout"
    assert ask("10.71.0.99", f"icmp {behind}") == [
        "unreachable",
        "nothing",
        "gateway 10.71.0.99 does not answer ARP",
    ]
    assert ask(other, f"dns a.vn@{behind}")[0] == "not_sent"


def test_without_rights_nothing_is_claimed(lab: Lab, wiring: Wiring) -> None:
    """It is not sent, and why; never "no answer"."""
    box = lab.box()
    wiring.cable(box, wiring.network(71))
    words = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    path = {"name": "x", "device": "eth1", "ipv4": "10.71.0.10", "gateway": "10.71.0.1", "straight": True}
    for target in ("x icmp 10.71.99.1", "x tcp 10.71.99.1:80"):
        done = box.run(*words, sys.executable, "-c", SCRIPT, json.dumps(path), target)
        assert json.loads(done.stdout) == ["not_sent", "nothing", straight.NO_RIGHT]


def test_ipv6_has_no_second_gateway(clocks: Clocks) -> None:
    """Its routers tell themselves; nothing is sent."""
    path = NetPath("x", "lo", ipv4="127.0.0.1", gateway="127.0.0.2", straight=True)
    assert icmp.ping("2001:db8::1", clocks, path).outcome is Outcome.NOT_SENT
    assert straight.knock("2001:db8::1", 80, clocks, path, 0.1).outcome is Outcome.NOT_SENT


def test_an_ipv4_packet_is_what_rfc_791_says() -> None:
    """Version, length, do not fragment, 64 hops, protocol, addresses, a checksum that fits."""
    packet = straight.ipv4("192.0.2.1", "198.51.100.7", 6, b"abc")
    assert len(packet) == 23
    assert icmp.checksum(packet[:20]) == 0
    assert (packet[0], struct.unpack("!H", packet[2:4])[0], packet[6], packet[8], packet[9]) == (
        0x45,
        23,
        0x40,
        64,
        6,
    )
    assert packet[12:16] == socket.inet_aton("192.0.2.1")
    assert packet[16:20] == socket.inet_aton("198.51.100.7")
    assert packet[20:] == b"abc"


def test_an_opening_segment_is_what_rfc_793_says() -> None:
    """SYN alone, our port and number, and a checksum over the addresses too."""
    segment = straight.opening("192.0.2.1", "198.51.100.7", 40000, 443, 0x01020304)
    assert struct.unpack("!HHIIBB", segment[:14]) == (40000, 443, 0x01020304, 0, 0x50, 0x02)
    pseudo = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.7") + b"\0\x06\0\x14"
    assert icmp.checksum(pseudo + segment) == 0


def answer(flags: int, *, acknowledged: int, port: int = 443, source: str = "198.51.100.7") -> bytes:
    """A segment that comes back, in its packet."""
    segment = struct.pack("!HHIIBBHHH", port, 40000, 1, acknowledged, 0x50, flags, 0, 0, 0)
    return straight.ipv4(source, "192.0.2.1", 6, segment)


@pytest.mark.parametrize(
    ("packet", "flags"),
    [
        (answer(0x12, acknowledged=8), 0x12),
        (answer(0x14, acknowledged=8), 0x14),
        (answer(0x12, acknowledged=9), None),
        (answer(0x02, acknowledged=8), None),
        (answer(0x12, acknowledged=8, port=80), None),
        (answer(0x12, acknowledged=8, source="198.51.100.8"), None),
        (answer(0x12, acknowledged=8)[:30], None),
        (b"", None),
    ],
    ids=["open", "refused", "other segment", "not an answer", "other port", "other host", "cut", "nothing"],
)
def test_only_the_answer_to_our_segment_counts(packet: bytes, flags: int | None) -> None:
    """From the right host and port, acknowledging our number."""
    assert straight.flags_of(packet, "198.51.100.7", 443, 7) == flags


def test_the_number_goes_round() -> None:
    """After the largest number comes zero."""
    assert straight.flags_of(answer(0x12, acknowledged=0), "198.51.100.7", 443, 0xFFFFFFFF) == 0x12


def test_an_arp_reply_is_read() -> None:
    """The sender's hardware address, if it speaks for the address that was asked for."""
    reply = (
        struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2)
        + b"\x02\0\0\0\0\x01"
        + socket.inet_aton("192.0.2.254")
        + bytes(10)
    )
    assert straight.arp_reply(reply, "192.0.2.254") == b"\x02\0\0\0\0\x01"
    assert straight.arp_reply(reply, "192.0.2.253") is None
    asked = reply[:7] + b"\x01" + reply[8:]
    assert straight.arp_reply(asked, "192.0.2.254") is None
    assert straight.arp_reply(reply[:20], "192.0.2.254") is None
