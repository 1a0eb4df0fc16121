"""The seam: clocks, files and commands of this machine, and the same of a recorded one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.system import CHUNK, MAX_FILE, CommandMissing, CommandTimeout, LocalSystem
from hatang_agent.system_replay import ReplayError, ReplaySystem, parse_reg
from hatang_agent.system_replay_usage import parse_ip
from hatang_agent.system_windows import wmi_command, wmi_date_ms

CASES = Path(__file__).parent / "cases"


def recorded(folder: Path, **meta: object) -> ReplaySystem:
    """A recorded machine in a folder with the least that one needs."""
    (folder / "meta.json").write_text(json.dumps({"platform": "linux", "now": "2026-11-20T08:00:00Z"} | meta))
    return ReplaySystem(folder)


def test_clocks_of_this_machine() -> None:
    """Wall and boot clock agree with the system's own, and the boot has a name."""
    system = LocalSystem()
    assert abs(system.wall_ms() - time.time() * 1000) < 2_000
    assert abs(system.boot_ms() - time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) < 2_000
    assert system.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_random_numbers() -> None:
    """Within their range, of the length asked for, and not the same twice."""
    system = LocalSystem()
    numbers = {system.random() for _ in range(50)}
    assert len(numbers) == 50
    assert all(0 <= number < 1 for number in numbers)
    assert len(system.random_hex(16)) == 16
    assert system.random_hex(16) != system.random_hex(16)


def test_files_below_a_root(tmp_path: Path) -> None:
    """Text with broken bytes replaced, None and [] for what is absent, links as they are."""
    system = LocalSystem(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/name").write_bytes(b"caf\xe9\n")
    (tmp_path / "etc/link").symlink_to("name")
    assert system.read_text("/etc/name") == "caf\ufffd\n"
    assert system.list_dir("/etc") == ["link", "name"]
    assert system.link_target("/etc/link") == "name"
    assert system.read_text("/etc") is None
    assert (system.read_text("/no"), system.list_dir("/no"), system.link_target("/etc/name")) == (
        None,
        [],
        None,
    )
    assert system.list_dir("/etc/name") == []


def test_a_large_file_is_cut(tmp_path: Path) -> None:
    """Nothing is read without bound."""
    with (tmp_path / "big").open("wb") as file:
        file.truncate(MAX_FILE + 10 * CHUNK)
    text = LocalSystem(tmp_path).read_text("/big")
    assert text is not None
    assert len(text) == MAX_FILE


def test_commands() -> None:
    """Output, error output and exit code; a missing program and a slow one are told apart."""
    system = LocalSystem()
    done = system.run(["sh", "-c", "echo $LC_ALL; echo no >&2; exit 3"], 10)
    assert (done.stdout, done.stderr, done.exit) == ("C.UTF-8\n", "no\n", 3)
    with pytest.raises(CommandMissing, match="command not found: no-such-program -x"):
        system.run(["no-such-program", "-x"], 1)
    with pytest.raises(CommandTimeout, match=r"command took longer than 0.05 s: sleep 20"):
        system.run(["sleep", "20"], 0.05)


def test_windows_only_things_are_absent_here() -> None:
    """Registry and WMI of a Linux machine are empty, not errors."""
    system = LocalSystem()
    assert system.registry(r"HKLM\SOFTWARE") is None
    assert system.registry_keys(r"HKLM\SOFTWARE") == []
    assert system.wmi("root/cimv2", "Win32_BIOS", ["Name"]) == []


def test_a_recorded_machine_answers_only_what_was_recorded(tmp_path: Path) -> None:
    """Its own files, commands and clock; nothing of the machine it is replayed on."""
    (tmp_path / "files/etc").mkdir(parents=True)
    (tmp_path / "files/etc/hostname").write_text("may01\n")
    (tmp_path / "files/etc/shadow").symlink_to("/etc/passwd")
    (tmp_path / "files/etc/up").symlink_to("../../../../../../../../etc/passwd")
    (tmp_path / "out.txt").write_text("hello")
    (tmp_path / "commands.json").write_text('[{"argv": ["a", "b"], "stdout": "out.txt", "exit": 4}]')
    system = recorded(tmp_path, release="6.1")
    assert (system.host_name(), system.release, system.wall_ms()) == ("may01", "6.1", 1_795_161_600_000)
    assert system.read_text("/etc/passwd") is None
    assert (system.read_text("/etc/shadow"), system.read_text("/etc/up")) == (None, None)
    done = system.run(["a", "b"], 1)
    assert (done.stdout, done.exit) == ("hello", 4)
    with pytest.raises(CommandMissing):
        system.run(["a"], 1)


def test_the_clock_of_a_recording_moves_only_to_a_second_reading(tmp_path: Path) -> None:
    """Without one, waiting changes nothing; with one, time and files move on together."""
    (tmp_path / "files/proc").mkdir(parents=True)
    (tmp_path / "files/proc/uptime").write_text("100.5 1")
    (tmp_path / "files/proc/x").write_text("1")
    system = recorded(tmp_path)
    system.wait(2)
    assert (system.boot_ms(), system.read_text("/proc/x")) == (100_500, "1")
    (tmp_path / "files-later/proc").mkdir(parents=True)
    (tmp_path / "files-later/proc/x").write_text("2")
    system.wait(2)
    assert (system.boot_ms(), system.read_text("/proc/x")) == (102_500, "2")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("", "not JSON"),
        ("[]", "expected a dict"),
        ("{}", "platform is ''; write one of linux, windows, macos"),
        ('{"platform": "linux", "now": "yesterday"}', "now is 'yesterday'; write UTC as"),
    ],
)
def test_a_broken_recording_is_told_in_one_line(tmp_path: Path, meta: str, message: str) -> None:
    """The file, the cause and what to write."""
    (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(ReplayError, match=r"^.*meta\.json: ") as caught:
        ReplaySystem(tmp_path)
    assert message in str(caught.value)


def test_missing_pieces_of_a_recording(tmp_path: Path) -> None:
    """No meta.json, and an output that commands.json names but nobody recorded."""
    with pytest.raises(ReplayError, match="not found; name the folder of a recorded machine"):
        ReplaySystem(tmp_path)
    (tmp_path / "commands.json").write_text('[{"argv": ["a"], "stdout": "gone.txt", "exit": 0}]')
    with pytest.raises(ReplayError, match=r"gone\.txt: named in commands\.json but not there"):
        recorded(tmp_path).run(["a"], 1)


REG = (
    "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\Software\\Ha Tang]\r\n"
    '@="standard"\r\n"Te\\"n"="C:\\\\a\\\\b"\r\n"Number"=dword:0000000f\r\n"Big"=hex(b):00,00,00,00,01,00,00,00\r\n'
    '"Many"=hex(7):61,00,00,00,62,00,\\\r\n  63,00,00,00,00,00\r\n"Path"=hex(2):25,00,41,00,25,00,00,00\r\n'
    '"Raw"=hex:01,ff\r\nnonsense\r\n\r\n[HKEY_LOCAL_MACHINE\\Software\\Ha Tang\\Sub]\r\n'
)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-8-sig"])
def test_registry_exports(tmp_path: Path, encoding: str) -> None:
    """Every kind of value in both encodings; keys are found whatever their case and root's form."""
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry/a.reg").write_bytes(REG.encode(encoding))
    (tmp_path / "registry/b.reg").write_bytes(b'[HKLM\\SOFTWARE\\HA TANG]\r\n"More"=dword:00000001\r\n')
    system = recorded(tmp_path, platform="windows")
    assert system.registry(r"HKLM\software\ha tang") == {
        "": "standard",
        'Te"n': "C:\\a\\b",
        "Number": 15,
        "Big": 1 << 32,
        "Many": ["a", "bc"],
        "Path": "%A%",
        "Raw": b"\x01\xff",
        "More": 1,
    }
    assert system.registry_keys(r"HKLM\SOFTWARE\Ha Tang") == ["Sub"]
    assert system.registry(r"HKLM\SOFTWARE\Other") is None


def test_real_registry_exports_are_read(field_data: Path) -> None:
    """Exports of a Windows 7 machine: the firewall's profiles are there with their switches."""
    for path in sorted((field_data / "endpoint/windows/registry").glob("*Profile.reg")):
        keys = parse_reg(path.read_bytes())
        switches = [values["EnableFirewall"] for values in keys.values() if "EnableFirewall" in values]
        assert switches, path.name
        assert set(switches) <= {0, 1}


@given(st.binary(max_size=300))
def test_no_bytes_break_the_registry_reader(content: bytes) -> None:
    """Lines that are no registry export are passed over and cost nothing else."""
    keys = parse_reg(b'[HKLM\\A]\r\n"x"=' + content)
    assert "HKEY_LOCAL_MACHINE\\A" in keys


@pytest.mark.parametrize("folder", ["root/cimv2", "cimv2", "ROOT/CIMV2", "root_cimv2"])
def test_wmi_objects_are_found_by_class_and_namespace(tmp_path: Path, folder: str) -> None:
    """Asked properties only; a property that was not recorded is None."""
    (tmp_path / "wmi" / folder).mkdir(parents=True)
    (tmp_path / "wmi" / folder / "Win32_BIOS.json").write_text(
        '[{"Name": "x", "Secret": 1}]', encoding="utf-8-sig"
    )
    system = recorded(tmp_path, platform="windows")
    assert system.wmi(r"root\cimv2", "win32_bios", ["Name", "Date"]) == [{"Name": "x", "Date": None}]
    assert system.wmi("root/other", "Win32_BIOS", ["Name"]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20130822204218.500000+120", 1_377_196_938_500),
        ("/Date(1377196938500)/", 1_377_196_938_500),
        ("2013-08-22T18:42:18Z", 1_377_196_938_000),
        ("2013-08-22T20:42:18.5+02:00", 1_377_196_938_000),
        ("yesterday", None),
        (None, None),
    ],
)
def test_wmi_dates(text: str | None, expected: int | None) -> None:
    """The three forms in which Windows writes an instant."""
    assert wmi_date_ms(text) == expected


def test_wmi_is_asked_with_identifiers_only() -> None:
    """What goes into a PowerShell command can never be more than names."""
    command = wmi_command("root/cimv2", "Win32_BIOS", ["Name", "ReleaseDate"])
    assert command[0] == "powershell.exe"
    assert "-ClassName 'Win32_BIOS'" in command[-1]
    with pytest.raises(ValueError, match="not a WMI identifier"):
        wmi_command("root/cimv2", "Win32_BIOS'; Remove-Item x", ["Name"])


def test_recorded_ip_addresses(field_data: Path) -> None:
    """The recorded output of a machine with tunnels gives each interface its own addresses."""
    found = parse_ip((field_data / "endpoint/linux/ip-ip_addr-1").read_text())
    assert found["eth0"].ipv4 == ("192.168.0.10",)
    assert found["eth0"].mac == "00:23:18:91:db:8d"
    assert found["tun0"].ipv4 == ("192.168.41.6",)
    assert (found["wlan0"].up, found["wlan0"].ipv4) == (False, ())
