"""The counters by psutil, which Windows and macOS use, and those of Linux; both checked on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hatang_agent.system_usage import LinuxUsage, PsutilUsage


def test_memory_and_processor_by_the_library() -> None:
    """The library's totals are those of the kernel, and time is counted once."""
    usage = PsutilUsage()
    total = re.search(r"MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text())
    memory, swap, times = usage.memory(), usage.swap(), usage.cpu_times()
    assert total is not None
    assert memory is not None
    assert memory.total == int(total[1]) * 1024 == memory.used + memory.available
    assert swap is not None
    assert swap.total == swap.used + swap.available
    assert times is not None
    assert 0 < times.busy_s < times.total_s
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    assert times.total_s == pytest.approx(sum(ticks) / 100, rel=0.01, abs=5)


def test_disks_by_the_library() -> None:
    """The root is a disk, both ways of asking agree, and what is not there has no space."""
    assert "/" in PsutilUsage().disks()
    ours, library = LinuxUsage().space("/"), PsutilUsage().space("/")
    assert ours is not None
    assert library is not None
    assert ours.total == library.total > 0
    assert LinuxUsage().space("/no/such/mount") is None


def test_interfaces_by_the_library() -> None:
    """Loopback has its address, counters and a link; real cards have their MAC."""
    found = PsutilUsage().interfaces()
    loopback = found["lo"]
    assert (loopback.ipv4, loopback.up) == (("127.0.0.1",), True)
    assert loopback.counters is not None
    assert min(loopback.counters.values()) >= 0
    assert len(loopback.counters) == 6
    for name, one in found.items():
        assert one.mac == Path(f"/sys/class/net/{name}/address").read_text().strip()


def test_addresses_of_linux_as_the_library_says() -> None:
    """The kernel's own answer and the library's are the same IPv4 addresses."""
    library = {name: set(one.ipv4) for name, one in PsutilUsage().interfaces().items() if one.ipv4}
    assert {name: set(one.ipv4) for name, one in LinuxUsage().interfaces().items()} == library


def test_permanent_addresses() -> None:
    """A virtual adapter has none, and neither has one that does not exist."""
    assert LinuxUsage().permanent_mac("lo") is None
    assert LinuxUsage().permanent_mac("no-such-adapter-here") is None
    assert PsutilUsage().permanent_mac("lo") is None
