"""A load generator: sealed reports of many agents through one MQTT connection, as fast as they are taken.

``python -m bench.load PORT USER REPORTS``, the password and agent ids on standard input. It seals all
reports, announces each agent, says ``ready`` and waits for a line. Then it publishes with QoS 1 and
counts the acknowledgements *by digest* that the collector sends to the agents; at most ``WINDOW``
reports are unacknowledged. Prints one line of JSON at the end.

Packets are written by hand: a client library here would cost more CPU than the collector.
"""

from __future__ import annotations

import json
import random
import re
import secrets
import socket
import struct
import sys
import time
from collections.abc import Iterator

from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import Birth
from hatang_agent.wire.report import SCHEMA, Clock, Predecessor, Report, Run, Sample, Status

WINDOW = 2_000
"""One unacknowledged report for each of 2,000 agents; real ones have up to eight."""

PATH = "main"
SILENCE_S = 120.0
REPORT_MS = 300_000
SAMPLE_MS = 60_000
_DIGEST = re.compile(rb"[0-9a-f]{64}")
_PUBACK, _PUBLISH = 0x40, 0x30


class Machine:
    """One agent: seals a report of five minutes each time it is asked."""

    def __init__(self, agent: str, dice: random.Random, begin_ms: int) -> None:
        self.agent = agent
        self._dice = dice
        self._epoch = secrets.token_hex(8)
        self._boot = secrets.token_hex(16)
        self._at_ms = begin_ms + dice.randrange(SAMPLE_MS)
        self._booted_ms = self._at_ms - dice.randrange(3_600_000, 36_000_000)
        self._runs = 0
        self._last: Predecessor | None = None

    def seal(self) -> bytes:
        """Wire bytes of the next report."""
        runs = [self._run() for _ in range(REPORT_MS // SAMPLE_MS)]
        seq = self._last.seq + 1 if self._last else 1
        report = Report(
            SCHEMA, self.agent, self._epoch, seq, self._last, self._clock(), "pc", "0.1.0", tuple(runs)
        )
        wire = codec.encode(report)
        self._last = Predecessor(self._epoch, seq, codec.digest(wire))
        return wire

    def birth(self) -> bytes:
        """A birth of this moment, by which the collector learns the offset of the boot clock."""
        now_ms = time.time_ns() // 1_000_000
        now = Clock(now_ms, now_ms - self._booted_ms, self._boot)
        return codec.encode(Birth(SCHEMA, self.agent, self._epoch, PATH, 1, now, "pc", "0.1.0"))

    def _run(self) -> Run:
        self._at_ms += SAMPLE_MS
        self._runs += 1
        draw = self._dice.random
        samples = [
            Sample("usage.cpu_percent", round(draw() * 100, 1), "%"),
            Sample("usage.memory_used", float(round(draw() * 8e9)), "bytes"),
            Sample("usage.disk_percent", round(draw() * 100, 1), "%", {"mount": "/"}),
            Sample("usage.disk_used", float(round(draw() * 2e11)), "bytes", {"mount": "/"}),
        ]
        for name in ("rx_bytes", "tx_bytes", "rx_bps", "tx_bps"):
            samples.append(
                Sample(f"interfaces.{name}", float(round(draw() * 1e9)), "", {"interface": "eth0"})
            )
        return Run(f"{self._epoch}-{self._runs}", "usage", self._clock(), 12, Status.OK, tuple(samples))

    def _clock(self) -> Clock:
        return Clock(self._at_ms, self._at_ms - self._booted_ms, self._boot)


def packet(kind: int, body: bytes) -> bytes:
    """An MQTT control packet (MQTT 5 section 2.1)."""
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def text(value: str) -> bytes:
    """A string of MQTT."""
    return struct.pack(">H", len(value.encode())) + value.encode()


def publish(topic: str, number: int, payload: bytes) -> bytes:
    """A PUBLISH with QoS 1."""
    return packet(0x32, text(topic) + struct.pack(">H", number % 65_000 + 1) + b"\0" + payload)


def packets(stream: bytearray) -> Iterator[tuple[int, bytes]]:
    """(first byte, body) of every whole packet, taken off the stream."""
    at = 0
    while True:
        size = shift = 0
        end = at + 1
        while end < len(stream):
            size |= (stream[end] & 127) << shift
            shift, end = shift + 7, end + 1
            if stream[end - 1] < 128:
                break
        else:
            break
        if end + size > len(stream):
            break
        yield stream[at], bytes(stream[end : end + size])
        at = end + size
    del stream[:at]


class Line:
    """The connection to the broker."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SILENCE_S)
        self._stream = bytearray()
        head = text("MQTT") + b"\x05\xc2" + struct.pack(">H", 600) + b"\0"
        self._socket.sendall(packet(0x10, head + text("bench-load") + text(user) + text(password)))
        self._expect(0x20)

    def subscribe(self, topic: str) -> None:
        """Have the acknowledgements sent here."""
        self._socket.sendall(packet(0x82, b"\0\1\0" + text(topic) + b"\0"))
        self._expect(0x90)

    def _expect(self, kind: int) -> None:
        while True:
            for found, body in self._read():
                if found == kind:
                    assert body[-1] < 128 or kind == 0x20, f"refused: {body!r}"
                    return

    def _read(self) -> list[tuple[int, bytes]]:
        received = self._socket.recv(1 << 18)
        assert received, "the broker closed the connection"
        self._stream += received
        return list(packets(self._stream))

    def announce(self, messages: list[bytes]) -> None:
        """Publish births, and wait until the broker has them."""
        self._socket.sendall(b"".join(messages))
        left = len(messages)
        while left:
            left -= sum(kind & 0xF0 == _PUBACK for kind, _ in self._read())

    def run(self, messages: list[bytes]) -> float:
        """Publish everything; seconds until the last acknowledgement by digest."""
        begun = time.perf_counter()
        sent = acked = 0
        while acked < len(messages):
            room = WINDOW - (sent - acked)
            if sent < len(messages) and room >= WINDOW // 8:
                upto = min(sent + room, len(messages))
                self._socket.sendall(b"".join(messages[sent:upto]))
                sent = upto
            for kind, body in self._read():
                if kind & 0xF0 == _PUBLISH:
                    acked += len(_DIGEST.findall(body))
                elif kind & 0xF0 == _PUBACK and len(body) > 2 and body[2] >= 0x80:
                    message = f"the broker refused a report: {body.hex()}"
                    raise RuntimeError(message)
        return time.perf_counter() - begun


def main() -> None:
    """See the module."""
    port, user, reports = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    password, *agents = sys.stdin.readline().split()
    rounds = -(-reports // len(agents))
    dice = random.Random(1)
    begin_ms = time.time_ns() // 1_000_000 - rounds * REPORT_MS - 2 * SAMPLE_MS
    fleet = [Machine(agent, dice, begin_ms) for agent in agents]
    messages, size = [], 0
    for number in range(reports):
        machine = fleet[number % len(fleet)]
        wire = machine.seal()
        size += len(wire)
        messages.append(publish(topics.report(machine.agent), number, wire))
    line = Line(port, user, password)
    line.subscribe("/".join((topics.ROOT, "+", "+", "ack")))
    line.announce([publish(topics.birth(one.agent, PATH), at, one.birth()) for at, one in enumerate(fleet)])
    print("ready", flush=True)  # noqa: T201 - spoken to the parent process
    sys.stdin.readline()
    took = line.run(messages)
    print(json.dumps({"seconds": took, "bytes": size}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
