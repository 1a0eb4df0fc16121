"""Pure parts of the inventory: which adapter is the office's, disks' health, ends of support, power."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.probes import _dmi, _support, _systeminfo, shutdowns_linux, shutdowns_windows
from hatang_agent.probes._generic import meaningful, plain_serial
from hatang_agent.probes._health import of_smartctl, of_windows
from hatang_agent.probes._nic import BLUETOOTH, ETHERNET, VIRTUAL, WIFI, Nic, primary
from hatang_agent.probes.hardware_linux import memory_modules
from hatang_agent.probes.shutdowns import DAY_MS, Record, fact_of
from hatang_agent.probes.system_windows import edition_of
from hatang_agent.system import Battery, Output
from hatang_agent.system_windows import power_status

WIRED = Nic("eth0", True, False, ETHERNET, mac="m", ipv4=("192.168.1.5",), gateway="192.168.1.1", metric=100)
RADIO = dataclasses.replace(WIRED, name="wlan0", medium=WIFI, ipv4=("192.168.1.6",), metric=600)
VPN = Nic("tun0", True, True, VIRTUAL, mac="v", ipv4=("10.8.0.2",), gateway="10.8.0.1", metric=0)
BRIDGE = Nic("br0", True, True, VIRTUAL, mac="b", ipv4=("192.168.1.7",), gateway="192.168.1.1", carries=True)
DOCKER = Nic("docker0", True, True, VIRTUAL, mac="d", ipv4=("172.17.0.1",), carries=True)
PHONE = Nic("bnep0", True, False, BLUETOOTH, mac="p", ipv4=("192.168.44.2",), gateway="192.168.44.1")


def without(nic: Nic, **changes: Any) -> Nic:
    """The adapter with something else."""
    return dataclasses.replace(nic, **changes)


@pytest.mark.parametrize(
    ("nics", "chosen"),
    [
        ([WIRED, RADIO], "eth0"),
        ([RADIO, without(WIRED, metric=700)], "wlan0"),
        ([WIRED, VPN], "eth0"),
        ([without(WIRED, gateway=None, metric=None), VPN], "eth0"),
        ([without(WIRED, ipv4=()), BRIDGE, DOCKER], "br0"),
        ([without(WIRED, gateway=None), DOCKER], "eth0"),
        ([without(WIRED, up=False), RADIO], "wlan0"),
        ([without(WIRED, ipv4=("169.254.3.4",)), VPN], None),
        ([without(WIRED, virtual=None)], None),
        ([without(WIRED, virtual=True)], "eth0"),
        ([without(WIRED, virtual=True, gateway=None)], None),
        ([PHONE, without(WIRED, metric=None)], "eth0"),
        ([PHONE], "bnep0"),
        ([], None),
    ],
)
def test_the_adapter_with_the_office_address(nics: list[Nic], chosen: str | None) -> None:
    """Hardware with a gateway by metric and medium; never a tunnel; none when it cannot be told."""
    for order in itertools.permutations(nics):
        found = primary(order)
        assert (found.name if found else None) == chosen


SMART = '{"smartctl": {"exit_status": 0}, "smart_status": {"passed": %s}}'


@pytest.mark.parametrize(
    ("stdout", "exit_status", "state"),
    [
        (SMART % "true", 0, "good"),
        (SMART % "true", 64, "good"),
        (SMART % "true", 16, "warning"),
        (SMART % "true", 32, "warning"),
        (SMART % "false", 24, "failing"),
        (SMART % "true", 8, "failing"),
        (
            '{"smartctl": {"messages": [{"string": "Permission denied", "severity": "error"}]}}',
            2,
            "unreadable",
        ),
        ('{"smart_status": {}}', 4, "unreadable"),
        ('{"smart_status": "yes"}', 0, "unreadable"),
        ('{"smartctl": 3}', 0, "unreadable"),
        ("[]", 0, "unreadable"),
        ("smartctl: unknown option -j", 1, "unreadable"),
        ("", 0, "unreadable"),
    ],
)
def test_health_by_smartctl(stdout: str, exit_status: int, state: str) -> None:
    """The disk's own verdict and smartctl's exit bits; without a verdict nothing is good."""
    found = of_smartctl(Output(stdout, "", exit_status))
    assert found.state == state
    assert 0 < len(found.reason) <= 200


def test_a_refused_smartctl_says_why() -> None:
    """The reason is what the command said."""
    text = (
        '{"smartctl": {"messages": [{"string": "Smartctl open device: /dev/sda failed: Permission denied"}]}}'
    )
    assert of_smartctl(Output(text, "", 2)).reason.endswith("Permission denied")


@pytest.mark.parametrize(
    ("status", "wear", "predicts", "state"),
    [
        (0, None, None, "good"),
        (0, 12, None, "good"),
        (0, 90, None, "warning"),
        (1, None, None, "warning"),
        (2, 3, None, "failing"),
        (0, 3, True, "failing"),
        (None, None, True, "failing"),
        (None, None, False, "good"),
        (None, 95, None, "warning"),
        (None, None, None, "unreadable"),
        (5, None, False, "unreadable"),
    ],
)
def test_health_by_windows(status: int | None, wear: int | None, predicts: object, state: str) -> None:
    """HealthStatus, Wear and the older prediction of failure; unknown (5) is not good."""
    assert of_windows(status, wear, predicts).state == state


@pytest.mark.parametrize(
    ("build", "edition", "server", "supported", "end"),
    [
        ("7601", "Professional", False, "no", "2020-01-14"),
        ("7601", "Embedded", False, "unknown", None),
        ("9600", "CoreSingleLanguage", False, "no", "2023-01-10"),
        ("19045", "Professional", False, "no", "2025-10-14"),
        ("19045.6456", "Enterprise", False, "no", "2025-10-14"),
        ("19044", "EnterpriseS", False, "yes", "2027-01-12"),
        ("19044", "IoTEnterpriseS", False, "yes", "2032-01-13"),
        ("19044", "Professional", False, "no", "2023-06-13"),
        ("17763", "EnterpriseS", False, "yes", "2029-01-09"),
        ("22631", "Education", False, "no", "2026-11-10"),
        ("26100", "Core", False, "no", "2026-10-13"),
        ("26100", "Enterprise", False, "yes", "2027-10-12"),
        ("26100", "IoTEnterpriseS", False, "yes", "2034-10-10"),
        ("26100", "ServerStandard", True, "yes", "2034-11-14"),
        ("26100", "ServerStandard", None, "unknown", None),
        ("26200", "Professional", False, "yes", "2027-10-12"),
        ("26300", "Enterprise", False, "unknown", None),
        ("14393", "ServerDatacenter", True, "yes", "2027-01-12"),
        ("17763", "ServerStandard", True, "yes", "2029-01-09"),
        ("17763", "ServerDatacenterACor", True, "no", "2020-11-10"),
        ("7601", "ServerEnterprise", True, "no", "2020-01-14"),
        ("99999", "Professional", False, "unknown", None),
        ("19045", None, False, "unknown", None),
        ("", "Professional", False, "unknown", None),
        ("soon", "Professional", False, "unknown", None),
    ],
)
def test_support_of_windows(
    build: str, edition: str | None, server: bool | None, supported: str, end: str | None
) -> None:
    """By build, edition and channel, long-term ones apart; what is not in the table is unknown."""
    found = _support.of_windows(build, edition, server=server, today="2026-11-20")
    assert (found.supported, found.end, found.as_of) == (supported, end, "2026-11-20")


@pytest.mark.parametrize(
    ("distribution", "version", "supported"),
    [
        ("debian", "11", "no"),
        ("debian", "12", "yes"),
        ("ubuntu", "20.04", "no"),
        ("ubuntu", "22.04", "yes"),
        ("ubuntu", "26.04", "yes"),
        ("debian", None, "unknown"),
        ("linuxmint", "22", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_support_of_linux(distribution: str | None, version: str | None, supported: str) -> None:
    """By ID and VERSION_ID; testing, derivatives and others are unknown."""
    assert _support.of_linux(distribution, version, today="2026-11-20").supported == supported


def test_the_last_day_counts_and_a_dead_clock_brings_nothing_back() -> None:
    """On its last day a system is supported; a clock before the table's day is not believed."""

    def on(day: str) -> str:
        return _support.of_linux("ubuntu", "22.04", today=day).supported

    assert (on("2027-06-01"), on("2027-06-02")) == ("yes", "no")
    assert _support.of_windows("19045", "Core", server=False, today="2009-01-01").supported == "no"


def test_the_table_is_whole() -> None:
    """Every entry has real dates, a page as its source, how it was read, and no release twice."""
    table = json.loads(_support.TABLE.read_text(encoding="utf-8"))
    datetime.date.fromisoformat(table["as_of"])
    builds = [(one["build"], one["server"]) for one in table["windows"]]
    assert len(set(builds)) == len(builds) > 30
    versions = [(one["id"], one["version"]) for one in table["linux"]]
    assert len(set(versions)) == len(versions)
    for one in [*table["windows"], *table["linux"]]:
        assert one["source"].startswith("https://")
        assert one["read_from"]
        assert one["release"]
    for one in table["windows"]:
        assert set(one["ends"]) <= {
            "any",
            "home",
            "enterprise",
            "ltsc",
            "iot_ltsc",
            "server",
            "server_annual",
        }
        # Microsoft ends updates on the second Tuesday of a month
        days = [datetime.date.fromisoformat(day) for day in one["ends"].values()]
        odd = [day for day in days if (day.weekday(), (day.day - 1) // 7) != (1, 1)]
        assert odd == ([datetime.date(2025, 10, 24)] if one["build"] == 25398 else [])


@pytest.mark.parametrize(
    ("name", "edition"),
    [
        ("Windows 10 Enterprise LTSC", "EnterpriseS"),
        ("Windows 10 Enterprise 2016 LTSB", "EnterpriseS"),
        ("Windows 11 IoT Enterprise LTSC", "IoTEnterpriseS"),
        ("Windows 10 Enterprise", "Enterprise"),
        ("Windows 11 Pro", "Professional"),
        ("Windows 7 Professional", "Professional"),
        ("Windows 10 Pro Education", "ProfessionalEducation"),
        ("Windows 10 Home", "Core"),
        ("Windows Server 2019 Standard", "ServerStandard"),
        ("Windows 10 Famille", None),
        ("Windows 10 Enterprise Evaluation", None),
        ("", None),
    ],
)
def test_editions_by_name(name: str, edition: str | None) -> None:
    """Only names that are known for certain."""
    assert edition_of(name) == edition


@pytest.mark.parametrize(
    ("members", "battery"),
    [
        ((1, 128, 255), None),
        ((0, 1, 80), Battery("off", "discharging", 80.0)),
        ((1, 8, 50), Battery("on", "charging", 50.0)),
        ((1, 9, 70), Battery("on", "charging", 70.0)),
        ((1, 1, 100), Battery("on", "full", 100.0)),
        ((1, 0, 60), Battery("on", "not_charging", 60.0)),
        ((255, 255, 255), Battery("unreadable", "unreadable", None)),
    ],
)
def test_power_of_windows(members: tuple[int, int, int], battery: Battery | None) -> None:
    """SYSTEM_POWER_STATUS in words; 255 is not known, and no battery is no battery."""
    assert power_status(*members) == battery


NOW = 1_795_138_200_000  # 2026-11-20T01:30Z


def test_the_longest_record_counts_and_only_its_window() -> None:
    """Moments older than 30 days are left out, and days says how far the record reaches."""
    short = Record("wtmp", (NOW - DAY_MS,), NOW - 3 * DAY_MS)
    long = Record("journal", (NOW - 40 * DAY_MS, NOW - 2 * DAY_MS, NOW - DAY_MS), NOW - 90 * DAY_MS)
    assert dict(fact_of([short, long], [], NOW).fields) == {
        "state": "counted",
        "unexpected": 2,
        "last": "2026-11-19",
        "days": 30,
        "evidence": "journal",
    }
    assert dict(fact_of([short], ["no right"], NOW).fields)["days"] == 3
    assert dict(fact_of([], ["a", "b"], NOW).fields) == {"state": "unreadable", "evidence": "a; b"}


BOOTS_252 = """\
-2 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa Wed 2026-11-18 00:30:20 UTC—Wed 2026-11-18 06:00:00 UTC
-1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb Wed 2026-11-18 06:05:48 UTC—Wed 2026-11-18 10:01:10 UTC
 0 cccccccccccccccccccccccccccccccc Thu 2026-11-19 00:31:02 UTC—Thu 2026-11-19 10:02:40 UTC
"""
BOOTS_257 = """\
IDX BOOT ID                          FIRST ENTRY                 LAST ENTRY
 -2 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa Wed 2026-11-18 00:30:20 UTC Wed 2026-11-18 06:00:00 UTC
 -1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb Wed 2026-11-18 06:05:48 UTC Wed 2026-11-18 10:01:10 UTC
  0 cccccccccccccccccccccccccccccccc Thu 2026-11-19 00:31:02 UTC Thu 2026-11-19 10:02:40 UTC
"""


@pytest.mark.parametrize("boots", [BOOTS_252, BOOTS_257])
def test_ends_by_the_journal(boots: str) -> None:
    """A former boot without shutdown.target ended unexpectedly; the present one has not ended."""
    ends = '{"_BOOT_ID":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","__CURSOR":"x"}\nbroken\n[]\n'
    found = shutdowns_linux.from_journal(boots, ends)
    assert not isinstance(found, str)
    assert (found[0], len(found[1]), found[1][0]) == ("journal", 1, 1_794_981_600_000)


@pytest.mark.parametrize("text", ["", "wtmp begins 2026-11-01T00:00:00+07:00\n", "nguyen tty2 2026\n"])
def test_an_empty_wtmp_cannot_tell(text: str) -> None:
    """No start recorded: a reason, not a count of none."""
    assert isinstance(shutdowns_linux.from_last(text), str)
    assert isinstance(shutdowns_linux.from_journal(text, ""), str)


def events(*rows: tuple[int, str], error: str = "", oldest: str = "2026-08-01T00:00:00Z") -> str:
    """The answer of the script."""
    found = [{"id": number, "time": time} for number, time in rows]
    return json.dumps({"error": error, "oldest": oldest, "events": found})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (events(), 0),
        (events((41, "2026-11-18T01:00:00Z"), (6008, "2026-11-18T01:00:40Z")), 1),
        (events((41, "2026-11-18T01:00:00Z"), (41, "2026-11-18T01:04:00Z")), 2),
        (events((6008, "2026-11-17T01:00:00Z"), (41, "2026-11-18T01:00:00Z")), 2),
        ("\ufeff" + events((6008, "2026-11-17T01:00:00Z")), 1),
    ],
)
def test_events_of_one_start_count_once(text: str, count: int) -> None:
    """Both events of a start are one end; two starts are two."""
    found = shutdowns_windows.parse(text)
    assert not isinstance(found, str)
    assert len(found[1]) == count


@pytest.mark.parametrize(
    "text",
    ["", "[]", "Get-WinEvent : denied", events(error="Unauthorized"), events(oldest=""), '{"error": ""}'],
)
def test_an_event_log_that_was_not_read_is_no_quiet_month(text: str) -> None:
    """Refused, empty or not understood: a reason."""
    assert isinstance(shutdowns_windows.parse(text), str)


@given(st.text())
def test_no_text_breaks_a_parser(text: str) -> None:
    """Whatever a command prints, parsers answer."""
    assert _dmi.parse(text).memory_modules() is None or "Size" in text
    assert isinstance(_systeminfo.parse(text).cards, tuple)
    assert of_smartctl(Output(text, "", 0)).state in ("good", "warning", "failing", "unreadable")
    shutdowns_linux.from_last(text)
    shutdowns_linux.from_journal(text, text)
    shutdowns_windows.parse(text)
    memory_modules(text)
    plain_serial(text)


UUID = "4c4c4544-0038-3310-8054-c3c04f35344a"


@pytest.mark.parametrize(
    ("text", "version", "ordered"),
    [
        ("44454C4C-3800-1033-8054-C3C04F35344A", (2, 5), UUID),
        (UUID.upper(), (2, 6), UUID),
        (UUID, (3, 2), UUID),
        (UUID, None, UUID),
        ("Not Settable", (2, 5), "Not Settable"),
        (None, (2, 5), None),
    ],
)
def test_the_byte_order_of_uuids(
    text: str | None, version: tuple[int, int] | None, ordered: str | None
) -> None:
    """Tables before SMBIOS 2.6 are read as Windows reads them."""
    assert _dmi.ordered_uuid(text, version) == ordered


def test_the_version_of_an_entry_point() -> None:
    """Two bytes behind the anchor of SMBIOS 2, whatever the checksum decodes to."""
    for checksum in (b"\x10", b"\xe0", b"\xff"):
        content = b"_SM_" + checksum + b"\x1f\x02\x05" + b"\x80_DMI_"
        assert _dmi.entry_version(content.decode(errors="replace")) == (2, 5)
    assert _dmi.entry_version("_SM3_\x00\x18\x03\x02") is None
    assert _dmi.entry_version(None) is None


@pytest.mark.parametrize(
    "text", ["Not Settable", "Not Present", "TBD By OEM", "No Asset Information", "<BAD INDEX>", "SerNum0"]
)
def test_more_placeholders(text: str) -> None:
    """What the tables of recorded machines hold in place of a serial."""
    assert not meaningful(text)
