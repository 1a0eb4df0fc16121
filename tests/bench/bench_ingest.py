"""Ingest through a real Mosquitto: how many sealed reports are journaled and acked a second.

    python tests/bench/bench_ingest.py [--agents 2000] [--reports 30000] [--profile]

Broker, load generator (a second process) and collector share this machine; prints figures by stage.
"""

from __future__ import annotations

# ruff: noqa: T201 - prints figures
import argparse
import cProfile
import multiprocessing
import pstats
import random
import resource
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "agent"), str(ROOT / "collector"), str(ROOT / "tests")]

from hatang_agent.wire import codec, topics  # noqa: E402
from hatang_agent.wire.report import Clock, Report, Run, Sample, Status  # noqa: E402
from hatang_collector.broker.contract import BrokerLogin  # noqa: E402
from hatang_collector.ingest.deadletter import DeadLetters  # noqa: E402
from hatang_collector.ingest.mqtt import MqttIngest  # noqa: E402
from hatang_collector.ingest.pipeline import Pipeline  # noqa: E402
from hatang_collector.journal.streams import Journal  # noqa: E402
from hatang_collector.live import LiveState  # noqa: E402
from hatang_collector.metrics import Metrics  # noqa: E402
from support.servers import Mosquitto  # noqa: E402
from support.wait import until  # noqa: E402

EPOCH = "0123456789abcdef"
WINDOW = 1000
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def agent_id(number: int) -> str:
    """A made-up agent."""
    text = ""
    for _ in range(16):
        text, number = LETTERS[number % 32] + text, number // 32
    return text


def sealed(agent: str, seq: int, dice: random.Random) -> bytes:
    """Wire bytes of about 1 KB: five minutes of one usage run a minute."""
    clock = Clock(1_790_000_000_000 + seq, 1_000_000 + seq, "9d1c2a5e-6a0f-4c8c-9a55-0d6e7f10aa01")
    fields = (
        "cpu_percent",
        "memory_used",
        "swap_used",
        "load_one",
        "rx_bps",
        "tx_bps",
        "read_bps",
        "write_bps",
    )
    runs = tuple(
        Run(
            f"{EPOCH}-{seq * 5 + at}",
            "usage",
            clock,
            12,
            Status.OK,
            tuple(Sample(f"usage.{name}", dice.random() * 1e9, "bytes") for name in fields),
        )
        for at in range(6)
    )
    return codec.encode(Report(1, agent, EPOCH, seq, None, clock, "pc", "0.1.0", runs))


def packet(kind: int, body: bytes) -> bytes:
    """An MQTT control packet (MQTT 5 section 2.1)."""
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def generate(port: int, agents: int, reports: int, go: multiprocessing.synchronize.Event) -> None:
    """Publish reports of many agents with QoS 1, ``WINDOW`` unacknowledged at most.

    Packets are made beforehand and written by hand: a client library here would cost more CPU than
    the collector and measure itself.
    """
    dice = random.Random(1)
    packets, size = [], 0
    for n in range(reports):
        agent = agent_id(n % agents)
        wire, topic = sealed(agent, n // agents + 1, dice), topics.report(agent).encode()
        head = struct.pack(">H", len(topic)) + topic + struct.pack(">H", n % 65000 + 1) + b"\0"
        packets.append(packet(0x32, head + wire))
        size += len(wire)
    print(f"{reports} reports of {agents} agents sealed, {size // reports} bytes each")
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(packet(0x10, b"\0\x04MQTT\x05\x02\0\x3c\0\0\x04load"))
        line.recv(1024)
        go.set()
        sent = acked = 0
        while acked < reports:
            if sent < reports and sent - acked < WINDOW:
                upto = min(sent + WINDOW // 4, reports)
                line.sendall(b"".join(packets[sent:upto]))
                sent = upto
                continue
            acked += pubacks(line)
        line.sendall(packet(0xE0, b""))


def pubacks(line: socket.socket) -> int:
    """How many PUBACKs came; each is 4 bytes, 5 or 6 with a reason code."""
    got = line.recv(1 << 16)
    count = at = 0
    while at < len(got):
        while len(got) - at < 2 or len(got) - at < 2 + got[at + 1]:
            got += line.recv(64)
        at += 2 + got[at + 1]
        count += 1
    return count


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--agents", type=int, default=2000)
    parser.add_argument("--reports", type=int, default=30_000)
    parser.add_argument("--profile", action="store_true", help="profile the worker thread")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto.make(Path(folder))
        broker.start()
        try:
            measure(args, Path(folder), broker.port)
        finally:
            broker.stop()


def measure(args: argparse.Namespace, folder: Path, port: int) -> None:
    """One collector, one generator, one clock."""
    metrics = Metrics()
    journal = Journal.open(folder / "journal")
    deadletters = DeadLetters(folder / "dead.sqlite")
    pipeline = Pipeline(journal, deadletters, lambda _: "pc", live=LiveState(), metrics=metrics)
    ingest = MqttIngest(pipeline, BrokerLogin("127.0.0.1", port, "", ""), collector="bench", epoch=EPOCH)
    profile = cProfile.Profile()
    if args.profile:
        work = ingest._work
        ingest._worker._target = lambda: profile.runcall(work)  # type: ignore[attr-defined]
    ingest.start()
    until(lambda: ingest.connected, what="connected")
    go = multiprocessing.get_context("spawn").Event()
    load = multiprocessing.get_context("spawn").Process(
        target=generate, args=(port, args.agents, args.reports, go)
    )
    load.start()
    go.wait(120)
    begun, cpu = time.perf_counter(), time.process_time()
    until(lambda: metrics.acked._value.get() >= args.reports, 300, "every report acked", every_s=0.05)
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    load.join()
    ingest.stop()
    batches = metrics.batch_size._sum.get() / max(
        1, sum(bucket.get() for bucket in metrics.batch_size._buckets)
    )
    print(f"journaled and acked      {args.reports / took:8.0f} reports/s   (target 3000)")
    print(f"collector CPU            {cpu / args.reports * 1e6:8.0f} us a report, {cpu / took:.0%} of a core")
    print(f"messages a batch         {batches:8.0f}")
    for stage in ("decode", "journal", "deadletters", "ack", "live", "puback"):
        spent = metrics.stage_seconds.labels(stage)._sum.get()
        print(f"  {stage:<12} {spent / args.reports * 1e6:8.1f} us a report (wall)")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"collector peak memory    {peak_mb:8.0f} MB (target 512)")
    print(f"journal                  {journal.stream('pc').size / args.reports:8.0f} bytes a report")
    if args.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    journal.close()
    deadletters.close()


if __name__ == "__main__":
    main()
