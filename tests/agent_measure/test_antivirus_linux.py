"""Antivirus on Linux and macOS: who is asked, what the answers mean, and how many programs start."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hatang_agent.probes import _antivirus_clamav as clamav
from hatang_agent.probes import _antivirus_commands as commands
from hatang_agent.probes import _antivirus_mdatp as mdatp
from hatang_agent.probes import antivirus_linux
from hatang_agent.probes._antivirus_verdict import Found, judge
from hatang_agent.system import CommandMissing, CommandTimeout, Output
from hatang_agent.system_replay import ReplaySystem
from support.endpoint_data import Recording

NOW_MS = 1_795_161_600_000  # 2026-11-20T08:00:00Z
DAY_MS = 86_400_000


class Counted(ReplaySystem):
    """A recorded machine that counts the programs it starts."""

    started: list[tuple[str, ...]]
    hangs = False

    def run(self, argv: Sequence[str], timeout_s: float) -> Output:
        """Count what exists; hang if told so."""
        output = super().run(argv, timeout_s)
        self.started.append(tuple(argv))
        if self.hangs:
            raise CommandTimeout(argv, timeout_s)
        return output


def linux(tmp_path: Path, *files: str) -> Recording:
    """A Linux with a list of programs and these files."""
    machine = Recording(tmp_path, "linux").file("/usr/bin/true", "")
    for path in files:
        machine.file(path, "")
    return machine


def counted(machine: Recording) -> Counted:
    """The machine with a counter."""
    system = Counted(machine.folder)
    system.started = []
    return system


def states(found: Sequence[Found]) -> dict[str, str]:
    """States by key."""
    return {one.key: judge(one, 7).state for one in found}


ALL_COMMANDS = [argv for program in antivirus_linux.PROGRAMS for argv in program.argvs]


def test_nothing_is_started_where_nothing_is_installed(tmp_path: Path) -> None:
    """No files, no programs, and the look is complete."""
    machine = linux(tmp_path)
    for argv in ALL_COMMANDS:
        machine.command(argv, "would answer")
    system = counted(machine)
    look = antivirus_linux.look(system)
    assert (look.found, look.gaps, system.started) == ([], [], [])


def test_never_more_than_three_programs(tmp_path: Path) -> None:
    """What is not asked any more is unreadable, not off."""
    files = ["/usr/bin/mdatp", "/usr/bin/bduitool", "/usr/bin/kesl-control", "/usr/sbin/clamd"]
    machine = linux(tmp_path, *files, "/opt/eset/eea/bin/upd", "/opt/sophos-av/bin/savdstatus")
    for argv in ALL_COMMANDS:
        machine.command(argv, "?")
    system = counted(machine)
    look = antivirus_linux.look(system)
    assert len(system.started) == antivirus_linux.MAX_PROGRAMS
    assert states(look.found) == dict.fromkeys(
        ("microsoft_defender", "bitdefender", "kaspersky", "sophos", "clamav", "eset"), "unreadable"
    )


def test_a_program_that_hangs_is_unreadable(tmp_path: Path) -> None:
    """The evidence names the program."""
    system = counted(linux(tmp_path, "/usr/bin/mdatp").command(mdatp.MDATP, "{}"))
    system.hangs = True
    (found,) = antivirus_linux.look(system).found
    assert judge(found, 7).state == "unreadable"
    assert "mdatp did not answer" in found.why


def test_files_without_their_program(tmp_path: Path) -> None:
    """A broken installation and products without a documented command are named and unreadable."""
    machine = linux(tmp_path, "/opt/bitdefender-security-tools/x", "/opt/sophos-spl/x", "/opt/drweb.com/x")
    look = antivirus_linux.look(machine.system())
    assert states(look.found) == dict.fromkeys(("bitdefender", "sophos", "drweb"), "unreadable")


def test_a_closed_folder_leaves_the_look_incomplete(tmp_path: Path) -> None:
    """What we may not look into may hold a product."""

    class Closed(ReplaySystem):
        """A machine whose /opt is closed."""

        def list_dir(self, path: str) -> list[str]:
            """Everything but /opt."""
            if path == "/opt":
                raise PermissionError(13, "no", path)
            return super().list_dir(path)

    look = antivirus_linux.look(Closed(linux(tmp_path).folder))
    assert list(look.gaps) == ["no right to look into /opt"]


def answered(**changed: Any) -> Output:
    """An answer of mdatp in which all is well, with changes."""
    well: dict[str, Any] = {
        "healthy": True,
        "healthIssues": [],
        "definitionsStatus": {"$type": "upToDate"},
        "definitionsUpdated": str(NOW_MS - DAY_MS),
        "definitionsUpdatedMinutesAgo": 1440,
        "realTimeProtectionAvailable": True,
        "realTimeProtectionEnabled": {"displayValue": True, "value": True},
        "passiveModeEnabled": {"displayValue": True, "value": False},
    }
    return Output(json.dumps({key: one for key, one in {**well, **changed}.items() if one != "-"}), "", 0)


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "protected"),
        ({"realTimeProtectionEnabled": True, "passiveModeEnabled": "-"}, "protected"),
        ({"realTimeProtectionEnabled": {"value": False}}, "off"),
        ({"realTimeProtectionAvailable": False}, "off"),
        ({"passiveModeEnabled": {"value": True}}, "off"),
        ({"realTimeProtectionEnabled": "-"}, "unreadable"),
        ({"realTimeProtectionEnabled": {"value": "enabled"}}, "unreadable"),
        ({"passiveModeEnabled": {"value": "perhaps"}}, "unreadable"),
        ({"healthy": False, "healthIssues": ["no active event provider"]}, "unreadable"),
        ({"engineLoadStatus": "Engine not loaded"}, "unreadable"),
        ({"engineLoadStatus": "Engine load succeeded"}, "protected"),
        ({"healthy": False, "definitionsStatus": {"$type": "outOfDate"}}, "out_of_date"),
        ({"definitionsStatus": "up_to_date"}, "protected"),
        ({"definitionsStatus": {"$type": "updating"}}, "protected"),
        ({"definitionsStatus": {"$type": "somethingNew"}}, "unreadable"),
        ({"definitionsUpdated": str(NOW_MS - 8 * DAY_MS)}, "out_of_date"),
        ({"definitionsUpdated": "yesterday", "definitionsUpdatedMinutesAgo": 20_000}, "out_of_date"),
        (
            {
                "definitionsUpdated": "-",
                "definitionsUpdatedMinutesAgo": "-",
                "definitionsStatus": {"$type": "updating"},
            },
            "unreadable",
        ),
    ],
)
def test_what_defender_answers(changed: dict[str, Any], state: str) -> None:
    """Both forms of a setting, passive mode, health, definitions."""
    assert judge(mdatp.parse(answered(**changed), NOW_MS), 7).state == state


def test_a_failing_program_is_not_believed() -> None:
    """Whatever it printed, another exit code than 0 leaves it unread."""
    for parse in (mdatp.parse, commands.bitdefender, commands.kaspersky):
        found = parse(Output(answered().stdout, "licence of nguyen expired", 3), NOW_MS)
        assert judge(found, 7).state == "unreadable"
        assert "nguyen" not in found.evidence


BITDEFENDER = """Product version: 7.0.3.2239
Last security content update: {updated}
New security content available: {waiting}
Features:
  - Antimalware status: {status}
"""


@pytest.mark.parametrize(
    ("updated", "waiting", "status", "state"),
    [
        ("2026-11-19 at 11:44:37 GMT+7", "no", "On", "protected"),
        ("2026-11-19 at 11:44:37 GMT", "yes", "On", "protected"),
        ("2026-11-19 at 11:44:37 GMT-3:30", "no", "Off", "off"),
        ("2026-11-10 at 11:44:37 GMT+7", "no", "On", "out_of_date"),
        ("2026-11-31 at 11:44:37 GMT+7", "yes", "On", "unreadable"),
        ("never", "no", "On", "unreadable"),
        ("2026-11-19 at 11:44:37 GMT+7", "no", "Unknown", "unreadable"),
    ],
)
def test_what_bitdefender_answers(updated: str, waiting: str, status: str, state: str) -> None:
    """The module's word and the instant of the last update with its zone."""
    text = BITDEFENDER.format(updated=updated, waiting=waiting, status=status)
    assert judge(commands.bitdefender(Output(text, "", 0), NOW_MS), 7).state == state


KASPERSKY = """Name:                            Kaspersky Endpoint Security 10 SP1 for Linux
Last release date of databases:  {made}
{loaded}
{guard}
"""


@pytest.mark.parametrize(
    ("made", "loaded", "guard", "state"),
    [
        (
            "2026-11-18 04:11:00",
            "Application databases loaded: Yes",
            "File Threat Protection: Available and running",
            "protected",
        ),
        (
            "2026-11-18 04:11:00",
            "Anti-virus databases loaded: Yes",
            "File monitoring: Available and running",
            "protected",
        ),
        (
            "2018-08-23 04:11:00",
            "Anti-virus databases loaded: Yes",
            "File monitoring: Available and running",
            "out_of_date",
        ),
        (
            "2026-11-18 04:11:00",
            "Anti-virus databases loaded: Yes",
            "File monitoring: Available and stopped",
            "off",
        ),
        (
            "2026-11-18 04:11:00",
            "Anti-virus databases loaded: Yes",
            "File monitoring: Unavailable due to license limitation",
            "off",
        ),
        (
            "1970-01-01 00:00:00",
            "Anti-virus databases loaded: No",
            "File monitoring: Available and running",
            "off",
        ),
        ("2026-11-18 04:11:00", "", "File monitoring: Available and running", "unreadable"),
        (
            "2026-11-18 04:11:00",
            "Anti-virus databases loaded: Yes",
            "File monitoring: Starting",
            "unreadable",
        ),
        ("2026-11-18 04:11:00", "Anti-virus databases loaded: Yes", "Firewall: running", "unreadable"),
        (
            "-",
            "Anti-virus databases loaded: Yes",
            "File monitoring: Available and running",
            "unreadable",
        ),
    ],
)
def test_what_kaspersky_answers(made: str, loaded: str, guard: str, state: str) -> None:
    """The task that guards files under its old and new name, and the databases."""
    text = KASPERSKY.format(made=made, loaded=loaded, guard=guard)
    found = commands.kaspersky(Output(text, "", 0), NOW_MS)
    assert judge(found, 7).state == state
    assert found.product == "Kaspersky Endpoint Security 10 SP1 for Linux"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Sophos Anti-Virus is active but on-access scanning is not running\n", "off"),
        ("Sophos Anti-Virus is active and on-access scanning is running\n", "unreadable"),
        ("Sophos Anti-Virus is confused", "unreadable"),
    ],
)
def test_what_sophos_answers(text: str, state: str) -> None:
    """It does not tell the age of its signatures, so it is never called protected."""
    assert judge(commands.sophos(Output(text, "", 0), NOW_MS), 7).state == state


HEAD = "ClamAV-VDB:18 Nov 2026 03-30 -0500:27823:2066734:90:X:X:raynman:1795077000"
DAEMON, WATCHER = clamav.DAEMONS[0], clamav.WATCHERS[0]


@pytest.mark.parametrize(
    ("head", "units", "processes", "state"),
    [
        (HEAD, {DAEMON: "active", WATCHER: "active"}, None, "protected"),
        (HEAD, {}, {"systemd", "clamd", "clamonacc"}, "protected"),
        (HEAD, {DAEMON: "active", WATCHER: "inactive"}, None, "off"),
        (HEAD, {DAEMON: "active", WATCHER: "failed"}, {"clamd"}, "off"),
        (HEAD, {DAEMON: "inactive", WATCHER: "active"}, {"clamonacc"}, "off"),
        (HEAD, {}, {"systemd"}, "off"),
        (HEAD, {DAEMON: "active"}, None, "unreadable"),
        (HEAD, {}, None, "unreadable"),
        (HEAD.replace("18 Nov", "11 Nov"), {DAEMON: "active", WATCHER: "active"}, None, "out_of_date"),
        (None, {DAEMON: "active", WATCHER: "active"}, None, "unreadable"),
        ("ClamAV-VDB:31 Nov", {DAEMON: "active", WATCHER: "active"}, None, "unreadable"),
        (HEAD.replace("2026", "2031"), {DAEMON: "active", WATCHER: "active"}, None, "unreadable"),
    ],
)
def test_clamav_protects_only_with_its_watcher(
    head: str | None, units: dict[str, str], processes: set[str] | None, state: str
) -> None:
    """An engine without clamonacc only scans what it is handed."""
    names = None if processes is None else frozenset(processes)
    found = clamav.judge(head, "/var/lib/clamav/daily.cld", units, names, NOW_MS)
    assert judge(found, 7).state == state
    if state == "off":
        assert found.why.startswith("only scans on request")


def test_the_instant_of_a_clamav_database() -> None:
    """Day, time and zone of the head; what is no date is none."""
    assert clamav.made_ms(HEAD) == 1_794_990_600_000
    for wrong in (
        "",
        "PK",
        HEAD.replace("Nov", "Nbv"),
        HEAD.replace("18", "38"),
        HEAD.replace("-0500", "-9900"),
    ):
        assert clamav.made_ms(wrong) is None


def test_units_of_systemd() -> None:
    """Only units that exist count."""
    missing = "Id=b.service\nLoadState=not-found\nActiveState=inactive\n"
    text = f"Id=a.service\nLoadState=loaded\nActiveState=active\n\n{missing}"
    assert antivirus_linux.unit_states(text) == {"a.service": "active"}
    assert antivirus_linux.unit_states("Failed to connect to bus") == {}


def test_eset_is_off_only_when_its_service_is_stopped(tmp_path: Path) -> None:
    """A running service proves nothing, a stopped one does; the age is told either way."""
    argv = (*antivirus_linux.SYSTEMCTL, *antivirus_linux.ESET_UNITS)
    for active, state in (("active", "unreadable"), ("inactive", "off"), ("failed", "unreadable")):
        machine = linux(tmp_path / active, "/opt/eset/eea/bin/upd")
        machine.command(("/opt/eset/eea/bin/upd", "--list-modules"), "EM002 1 (20261119) Detection engine\n")
        machine.command(argv, f"Id=eea.service\nLoadState=loaded\nActiveState={active}\n")
        (found,) = antivirus_linux.look(machine.system()).found
        assert (judge(found, 7).state, found.age_days) == (state, 0)


def test_a_mac_without_a_list_of_applications_asks_defender(tmp_path: Path) -> None:
    """Nothing there and nothing listed: unreadable, not absent."""
    from hatang_agent.probes import antivirus_macos

    look = antivirus_macos.look(Recording(tmp_path, "macos").system())
    assert list(look.found) == []
    assert look.gaps
    machine = Recording(tmp_path / "with", "macos").file("/Applications/Microsoft Defender.app/x", "")
    (found,) = antivirus_macos.look(machine.system()).found
    assert judge(found, 7).state == "unreadable"
    with pytest.raises(CommandMissing):
        machine.system().run(mdatp.MDATP, 1)
