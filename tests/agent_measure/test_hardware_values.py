"""Which hardware values are worth telling, and which are makers' placeholders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.probes._generic import chassis, iso_date, known, meaningful, names_virtual_machine, own_mac
from hatang_agent.probes.hardware_linux import parse_cpuinfo
from hatang_agent.probes.hardware_windows import day
from hatang_agent.probes.system import host_name_fields
from hatang_agent.probes.system_linux import parse_os_release
from hatang_agent.probes.usage import cpu_percent, personal
from hatang_agent.probes.usage_linux import base_disk, parse_loadavg, parse_meminfo, parse_stat, wanted
from hatang_agent.system import CpuTimes


@pytest.mark.parametrize(
    "text",
    [
        "To be filled by O.E.M.",
        "to be filled  by o.e.m. ",
        "Default string",
        "None",
        "System Serial Number",
        "0000000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "00000000-0000-0000-0000-000000000000",
        "03000200-0400-0500-0006-000700080009",
        "xxxxxxx",
        "..............",
        "",
        " ",
        "-",
        "drive-scsi0",
        "QM00003",
    ],
)
def test_placeholders_mean_nothing(text: str) -> None:
    """What thousands of machines have in common tells none of them apart."""
    assert not meaningful(text)
    assert known(text) is None


@pytest.mark.parametrize(
    "text", ["/B5QW23A/CNWS2008BX0123/", "ZN1ABCDE", "4C4C4544-0042-3510-8051-B7C04F573233"]
)
def test_serials_mean_something(text: str) -> None:
    """Real serials are kept."""
    assert meaningful(text)


@pytest.mark.parametrize(
    ("mac", "own"),
    [
        ("a4:bb:6d:12:34:56", True),
        ("02:42:9a:00:00:01", False),
        ("01:00:5e:00:00:01", False),
        ("00:00:00:00:00:00", False),
        ("ff:ff:ff:ff:ff:ff", False),
        ("A4:BB:6D:12:34:56", False),
        ("", False),
        (None, False),
    ],
)
def test_only_makers_addresses_count(mac: str | None, *, own: bool) -> None:
    """Random, group and empty addresses are nobody's."""
    assert own_mac(mac) is own


@pytest.mark.parametrize(
    ("names", "virtual"),
    [
        (("VMware, Inc.", "VMware7,1"), True),
        (("Microsoft Corporation", "Virtual Machine"), True),
        (("innotek GmbH", "VirtualBox"), True),
        (("Microsoft Corporation", "Surface Pro 7"), False),
        (("Dell Inc.", "OptiPlex 3060"), False),
        ((None, None), None),
    ],
)
def test_virtual_machines_by_name(names: tuple[str | None, ...], virtual: bool | None) -> None:
    """Makers of emulators are known; without a name nothing is claimed."""
    assert names_virtual_machine(*names) is virtual


def test_cases_and_dates() -> None:
    """Numbers of SMBIOS as words, both forms of BIOS dates as ISO 8601."""
    kinds = [chassis(number) for number in (3, 10, 13, 17, 2, None)]
    assert kinds == ["desktop", "laptop", "all_in_one", "server", None, None]
    assert iso_date("09/14/2021") == iso_date("20210914000000.000000+000") == "2021-09-14"
    assert iso_date("soon") is None
    assert day(1_631_552_400_000) == "2021-09-14"  # midnight in UTC+7


@pytest.mark.parametrize(
    ("device", "disk"),
    [
        ("/dev/sda1", "sda"),
        ("/dev/sda", "sda"),
        ("/dev/nvme0n1p2", "nvme0n1"),
        ("/dev/nvme0n1", "nvme0n1"),
        ("/dev/mmcblk0p1", "mmcblk0"),
        ("/dev/vda", "vda"),
        ("/dev/xvda1", "xvda"),
        ("/dev/md0", "md0"),
        ("/dev/mapper/vg-root", "mapper/vg-root"),
    ],
)
def test_the_disk_of_a_partition(device: str, disk: str) -> None:
    """Names as the kernel gives them."""
    assert base_disk(device) == disk


def test_which_mounts_are_disks() -> None:
    """Fixed file systems only, and no path that names a person."""
    assert wanted("/dev/sda1", "/", "ext4")
    assert not wanted("tmpfs", "/run", "tmpfs")
    assert not wanted("/dev/loop3", "/snap/x", "squashfs")
    assert not wanted("10.0.0.1:/x", "/mnt", "nfs4")
    assert not wanted("/dev/sda1", "/boot/efi", "vfat")
    assert not wanted("/dev/sda1", "/a\nb", "ext4")
    mounts = ["/", "/home", "/home/nam", "/media/x", "/run/media/x/y", "/Users/nam", "/srv", "C:"]
    named = [mount for mount in mounts if personal(mount)]
    assert named == ["/home/nam", "/media/x", "/run/media/x/y", "/Users/nam"]


@pytest.mark.parametrize(
    ("before", "now", "load"),
    [
        ((10, 100), (20, 120), 50.0),
        ((10, 100), (10, 120), 0.0),
        ((10, 100), (30, 120), 100.0),
        ((10, 100), (9, 120), 0.0),
        ((10, 100), (40, 120), 100.0),
        ((10, 100), (10, 100), None),
        ((10, 100), (5, 50), None),
    ],
)
def test_processor_load(before: tuple[int, int], now: tuple[int, int], load: float | None) -> None:
    """Busy share of the time between two readings; none where no time passed or the counter went back."""
    assert cpu_percent(CpuTimes(*before), CpuTimes(*now)) == load
    assert cpu_percent(None, CpuTimes(*now)) is None


def test_files_of_old_kernels() -> None:
    """Without MemAvailable it is estimated; without iowait the rest still counts."""
    memory, swap = parse_meminfo("MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 250 kB\n")
    assert memory is not None
    assert (memory.total, memory.used, swap) == (1_024_000, 614_400, None)
    assert parse_stat("cpu 10 0 10 80\n") == CpuTimes(0.2, 1.0)


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    """A file in any shape gives what can be read of it, or nothing."""
    for parse in (parse_stat, parse_meminfo, parse_loadavg, parse_cpuinfo, parse_os_release):
        parse(text)
        parse("cpu " + text)
        parse("A=" + text)


def test_os_release_quotes() -> None:
    """Quoted and bare values; a broken line costs itself only."""
    assert parse_os_release('A=b\nC=\'d e\'\nF="g\nH="i \\"j"\n#K=l') == {"A": "b", "C": "d e", "H": 'i "j'}


def test_host_names_leave_only_as_policy_allows() -> None:
    """Off and keyless: nothing. Keyed: the same hash for the same name, another with another key."""
    assert host_name_fields("PC01", "off", "aa") == host_name_fields("PC01", "hmac", "") == {}
    assert host_name_fields("", "plain", "aa") == {}
    assert host_name_fields("PC01", "plain", "") == {"host_name": "PC01"}
    hashed = host_name_fields("PC01", "hmac", "aa")
    assert hashed == host_name_fields("pc01", "hmac", "aa") != host_name_fields("pc01", "hmac", "ab")
    assert len(hashed["host_name_hmac"]) == 32
