"""What Linux tells about processes and connections: memory, CPU time, bytes on the wire."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")
_MSS = 1448
"""Data bytes of a full segment on Ethernet; loopback sends far larger ones."""

_HEADERS = 52
"""IPv4 and TCP header with the timestamp option."""


def megabytes(pid: int, entry: str) -> float:
    """A memory entry of ``/proc/PID/status`` in MB: VmRSS, RssAnon, VmHWM (the peak of VmRSS)."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(rf"^{entry}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, of the children it waited for and of those it has now."""
    total = sum(_ticks(pid)[:4])
    for child in psutil.Process(pid).children(recursive=True):
        try:
            total += sum(_ticks(child.pid)[:4])
        except OSError:
            continue
    return total / _TICKS


def _ticks(pid: int) -> list[int]:
    # proc(5): utime, stime, cutime, cstime are fields 14 to 17; the name in brackets may hold spaces
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return [int(word) for word in text.rpartition(")")[2].split()[11:15]]


class MemoryWatch:
    """Samples a process tree once a second until stopped."""

    def __init__(self, pid: int) -> None:
        self.rss: list[float] = []
        self.anonymous: list[float] = []
        self._pid = pid
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.wait(1.0):
            rss = anonymous = 0.0
            try:
                root = psutil.Process(self._pid)
                for one in (root, *root.children(recursive=True)):
                    rss += megabytes(one.pid, "VmRSS")
                    anonymous += megabytes(one.pid, "RssAnon")
            except (OSError, psutil.NoSuchProcess):
                continue  # one of them ended while we looked: no sample
            self.rss.append(rss)
            self.anonymous.append(anonymous)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counters of one TCP connection, kept by the kernel since it was opened."""

    sent: int
    received: int
    segments_out: int
    segments_in: int

    def since(self, before: Traffic) -> Traffic:
        """What came after an earlier look."""
        return Traffic(
            self.sent - before.sent,
            self.received - before.received,
            self.segments_out - before.segments_out,
            self.segments_in - before.segments_in,
        )

    @property
    def ip_bytes(self) -> int:
        """Bytes of IP packets both ways, as if no segment were longer than Ethernet carries."""
        segments = self.segments_out + self.segments_in + self.sent // _MSS + self.received // _MSS
        return self.sent + self.received + segments * _HEADERS


def traffic(pid: int, port: int) -> Traffic | None:
    """Counters of the connection of a process to a port (``ss -i``), None while there is none."""
    done = subprocess.run(
        ["ss", "-tinpH", "state", "established", f"( dport = :{port} )"],
        capture_output=True,
        text=True,
        check=True,
    )
    # Two lines for each connection; both belong together.
    for record in re.split(r"\n(?=\S)", done.stdout):
        if f"pid={pid}," in record:
            return Traffic(
                _counter(record, "bytes_sent"),
                _counter(record, "bytes_received"),
                _counter(record, "segs_out"),
                _counter(record, "segs_in"),
            )
    return None


def _counter(record: str, name: str) -> int:
    found = re.search(rf"\b{name}:(\d+)", record)
    return int(found[1]) if found else 0
