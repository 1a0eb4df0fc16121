"""Echo requests on real networks: every loss counted, every time plausible, nobody else's packet believed."""

from __future__ import annotations

import json
import re
import shutil
import socket
import struct
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.net import icmp, icmp_windows
from hatang_agent.net.answer import Outcome
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import NetPath, Tied
from support.namespaces import Box, Lab, Network, Wiring
from support.wait import until

SCRIPT = """
import json, sys, time
from dataclasses import asdict
from hatang_agent.net import icmp
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import NetPath
address, path, more = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
clocks = Clocks(time.perf_counter_ns, time.time_ns)
print(json.dumps(asdict(icmp.ping(address, clocks, NetPath(**path), **more))))
"""
NO_RAW = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")


def ping(box: Box, address: str, path: Mapping[str, object], *before: str, **more: object) -> dict[str, Any]:
    """Echo requests from a box, what came of them as a table."""
    words = (
        *before,
        sys.executable,
        "-c",
        SCRIPT,
        address,
        json.dumps({"name": "", **path}),
        json.dumps(more),
    )
    done = box.run(*words)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def slow_host(network: Network, delay_ms: int, unanswered: str = "") -> None:
    """Let the network's host answer in its own time, and not everything."""
    network.set("net/ipv4/icmp_echo_ignore_all", 1)
    network.start(sys.executable, "-m", "support.echo_host", str(delay_ms), unanswered)
    log = network.folder / "log.txt"
    until(lambda: "ready" in log.read_text(), 20, "the host answers")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_answers_itself(lab: Lab, address: str) -> None:
    """By both protocols, timed by the kernel."""
    found = ping(lab.box(), address, {}, count=3, gap_s=0.01)
    assert found["outcome"] == "answered"
    assert found["kernel"] is True
    assert len(found["rtts_ms"]) == 3
    assert all(0 < one < 50 for one in found["rtts_ms"])


def test_every_loss_is_counted_and_every_time_is_true(lab: Lab, wiring: Wiring) -> None:
    """Of twenty requests exactly those that the host left out are missing; the others took its 25 ms."""
    box, network = lab.box(), wiring.network(71)
    wiring.cable(box, network)
    slow_host(network, 25, "37")
    found = ping(box, network.target, {"device": "eth1"}, count=20, gap_s=0.03, timeout_s=1.0)

    rtts = found["rtts_ms"]
    assert [place % 10 for place, one in enumerate(rtts) if one is None] == [3, 7, 3, 7]
    came = sorted(one for one in rtts if one is not None)
    assert came[0] >= 25
    assert came[len(came) // 2] < 35, "half of them within the noise of a busy test machine"
    assert (found["tied"], found["kernel"]) == ("device", True)


def test_times_are_those_of_ping(lab: Lab, wiring: Wiring) -> None:
    """The system's own program measures the same line at the same time."""
    if shutil.which("ping") is None:
        pytest.skip("ping is not installed (apt-get install iputils-ping)")
    box, network = lab.box(), wiring.network(71)
    wiring.cable(box, network)
    slow_host(network, 20)
    ours = ping(box, network.target, {"device": "eth1"}, count=10, gap_s=0.05)
    theirs = box.run("ping", "-n", "-c", "10", "-i", "0.05", "-I", "eth1", network.target).stdout
    times = sorted(float(one) for one in re.findall(r"time=([\d.]+)", theirs))
    assert sorted(ours["rtts_ms"])[5] == pytest.approx(times[5], abs=3)


def test_a_network_answers_by_its_own_cable_only(lab: Lab, wiring: Wiring) -> None:
    """By the other cable, and by a cable that is cut, it is not reached; by IPv6 it is."""
    box, cpnet, internet = lab.box(), wiring.network(71), wiring.network(72)
    cable, _ = wiring.cable(box, cpnet), wiring.cable(box, internet, "eth2", routes=False)
    quick = {"count": 2, "gap_s": 0.02, "timeout_s": 0.5}
    assert ping(box, cpnet.target, {"device": "eth1"}, **quick)["outcome"] == "answered"
    assert ping(box, cpnet.target6, {"device": "eth1"}, **quick)["outcome"] == "answered"
    assert ping(box, cpnet.target, {"device": "eth2"}, **quick)["outcome"] in ("timeout", "unreachable")
    assert ping(box, internet.gateway, {"device": "eth2"}, **quick)["outcome"] == "answered"
    cable.cut()
    assert ping(box, cpnet.target, {"device": "eth1"}, **quick)["outcome"] != "answered"


def test_a_router_that_says_no_ends_the_waiting(lab: Lab, wiring: Wiring) -> None:
    """Its message is told with its address, and nothing is waited for after it."""
    box, network = lab.box(), wiring.network(71)
    wiring.cable(box, network)
    began = time.monotonic()
    found = ping(box, "10.99.0.1", {"device": "eth1"}, count=2, gap_s=0.05, timeout_s=5.0)
    assert found["outcome"] == "unreachable"
    assert found["detail"] == f"unreachable, says {network.gateway}"
    assert time.monotonic() - began < 4
    six = ping(box, "fd00:99::1", {"device": "eth1"}, count=2, gap_s=0.05, timeout_s=5.0)
    assert six["detail"] == f"unreachable, says fd00:{network.number}::1"


def test_without_rights_a_ping_socket_or_none(lab: Lab, wiring: Wiring) -> None:
    """Not allowed: said so. Where the system allows datagram sockets, they do, still on the path."""
    box, network = lab.box(), wiring.network(71)
    wiring.cable(box, network)
    path = {"device": "eth1"}
    denied = ping(box, network.target, path, *NO_RAW, count=1)
    assert (denied["outcome"], denied["detail"]) == ("not_sent", icmp.NO_RIGHT)
    box.run("sh", "-c", "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range")
    for address in (network.target, network.target6):
        found = ping(box, address, path, *NO_RAW, count=2, gap_s=0.01)
        assert (found["outcome"], found["engine"], found["kernel"]) == ("answered", "ping", True)
        assert found["tied"] == "device"


@pytest.mark.parametrize("raw", [True, False])
def test_other_programs_echoes_are_not_ours(lab: Lab, raw: bool) -> None:
    """Two series at the same host at the same time keep their replies apart."""
    box = lab.box()
    box.run("sh", "-c", f"echo {'1 0' if raw else '0 9'} > /proc/sys/net/ipv4/ping_group_range")
    two = """
import threading
results = []
def one():
    results.append(icmp.ping("127.0.0.1", clocks, count=20, gap_s=0.005))
threads = [threading.Thread(target=one) for _ in range(4)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print(json.dumps([[len(one.came), one.engine] for one in results]))
"""
    done = box.run(
        sys.executable, "-c", SCRIPT.rpartition("print")[0] + two, "127.0.0.1", '{"name": ""}', "{}"
    )
    assert json.loads(done.stdout) == [[20, "raw" if raw else "ping"]] * 4, done.stderr


@given(st.binary(max_size=41))
def test_the_checksum_makes_the_sum_all_ones(content: bytes) -> None:
    """RFC 1071: with its checksum in it, a message sums to zero; both lengths, odd and even."""
    padded = content + b"\0" * (len(content) % 2)
    assert icmp.checksum(padded + struct.pack("!H", icmp.checksum(padded))) == 0


def test_requests_and_replies_are_what_rfc_792_says() -> None:
    """Type, code, checksum, identity and number; with and without the IPv4 header in front."""
    packet = icmp.request(socket.AF_INET, 0x1234, 7, b"abcd")
    assert packet[:2] == b"\x08\0"
    assert icmp.checksum(packet) == 0
    assert packet[4:] == b"\x12\x34\0\x07abcd"
    reply = b"\0\0\0\0" + packet[4:]
    header = bytes([0x46]) + bytes(23)
    assert icmp.number_of(socket.AF_INET, reply, b"abcd") == 7
    assert icmp.number_of(socket.AF_INET, header + reply, b"abcd") == 7
    assert icmp.number_of(socket.AF_INET, reply, b"abce") is None
    assert icmp.number_of(socket.AF_INET, packet, b"abcd") is None
    assert icmp.number_of(socket.AF_INET6, b"\x81" + reply[1:], b"abcd") == 7
    assert icmp.number_of(socket.AF_INET, b"", b"abcd") is None


def test_a_clock_that_was_set_does_not_make_a_time(clocks: Clocks) -> None:
    """The kernel's stamp says an hour or minus an hour: the steady clock is believed."""
    sock = icmp.open_socket(socket.AF_INET)
    assert sock is not None
    with sock:
        series = icmp.Series(sock, clocks, "127.0.0.1", "raw", Tied.NOTHING)
        series.clocks = Clocks(lambda: 5_000_000, lambda: 0)
        for stamp_s, stamped in ((3600, False), (-3600, False), (0, True)):
            series.stamped = False
            control = [(socket.SOL_SOCKET, 35, struct.pack("=qq", stamp_s, 2_000_000))]
            sent = icmp._Sent(steady_ns=1_000_000, wall_ns=0)
            assert series._rtt_ms(sent, 5_000_000, control) == (2.0 if stamped else 4.0)
            assert series.stamped is stamped


# Windows: the reading of what its API answers, on bytes made after Microsoft's pages.


def windows_reply(status: int, *, six: bool = False) -> bytes:
    """ICMP_ECHO_REPLY, or ICMPV6_ECHO_REPLY with its address of 26 bytes."""
    if six:
        return bytes(28) + struct.pack("<II", status, 12) + bytes(32)
    return struct.pack("<4sIIHHQ", socket.inet_aton("10.0.0.1"), status, 12, 4, 0, 0) + bytes(24)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0, Outcome.ANSWERED),
        (11010, Outcome.TIMEOUT),
        (11003, Outcome.UNREACHABLE),
        (11013, Outcome.UNREACHABLE),
        (11050, Outcome.NOT_SENT),
    ],
)
def test_windows_statuses(status: int, outcome: Outcome) -> None:
    """IP_SUCCESS, IP_REQ_TIMED_OUT, IP_DEST_HOST_UNREACHABLE, IP_TTL_EXPIRED_TRANSIT, IP_GENERAL_FAILURE."""
    assert icmp_windows.status_of(socket.AF_INET, windows_reply(status)) == status
    assert icmp_windows.status_of(socket.AF_INET6, windows_reply(status, six=True)) == status
    assert icmp_windows.status_of(socket.AF_INET, b"") == 11010
    rtts: list[float | None] = [None, 1.0] if status == 0 else [None, None]
    assert icmp_windows.outcome_of(rtts, status)[0] is outcome


def test_windows_addresses() -> None:
    """IPAddr is the address in network order as a number; SOCKADDR_IN6 has the scope at its end."""
    assert bytes(icmp_windows.endpoint(socket.AF_INET, "10.0.0.1", 0)) == b"\x0a\0\0\x01"
    six = icmp_windows.endpoint(socket.AF_INET6, "fe80::1", 12).raw
    assert (len(six), six[:2], six[8:24], six[24:]) == (
        28,
        b"\x17\0",
        socket.inet_pton(socket.AF_INET6, "fe80::1"),
        b"\x0c\0\0\0",
    )


def test_elsewhere_the_api_is_not_there(clocks: Clocks) -> None:
    """It says so instead of failing, and knows one next hop for an interface."""
    path = NetPath("Ethernet", "Ethernet", 12, ipv4="10.0.0.5", gateway="10.0.0.1")
    found = icmp_windows.ping("10.0.0.1", clocks, path, count=1, gap_s=0.1, timeout_s=1)
    assert (found.outcome, found.detail) == (Outcome.NOT_SENT, "the system's echo API does not answer")
    straight = replace(path, straight=True)
    assert (
        "one next hop"
        in icmp_windows.ping("10.0.0.1", clocks, straight, count=1, gap_s=0.1, timeout_s=1).detail
    )
