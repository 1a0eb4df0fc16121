"""Recorded machines with people's things planted in every place where a program could stumble on them.

Each planted text contains :data:`MARK`, so one search finds them all, whatever way they took.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hatang_agent.system_replay import ReplaySystem

MARK: Final = "canary7q"
USER: Final = f"{MARK}user"
SSID: Final = f"{MARK}wifi"
MAIL: Final = f"{MARK}.mail@example.vn"
HOST: Final = f"{MARK}-host"
DOCUMENT: Final = f"{MARK}-luong.xlsx"
COMMAND: Final = f"wordpad.exe {MARK}-argument"
WINDOWS_HOME: Final = rf"C:\Users\{USER}"
LINUX_HOME: Final = f"/home/{USER}"

CASES: Final = sorted((Path(__file__).parents[1] / "agent_measure/cases").iterdir())


class Awake(ReplaySystem):
    """A recorded machine whose clocks run, so that an agent can live on it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._woke_ns = time.monotonic_ns()
        self.environ: Mapping[str, str] = {"USER": USER, "HOME": LINUX_HOME, "USERPROFILE": WINDOWS_HOME}

    def _awake_ms(self) -> int:
        return (time.monotonic_ns() - self._woke_ns) // 1_000_000

    def wall_ms(self) -> int:
        """The instant of the recording, and on."""
        return super().wall_ms() + self._awake_ms()

    def boot_ms(self) -> int:
        """Time since the recorded boot, and on."""
        return super().boot_ms() + self._awake_ms()

    def wait(self, seconds: float) -> None:
        """Pause for a moment, and have the second reading."""
        super().wait(seconds)
        time.sleep(min(seconds, 0.05))


def plant(case: Path, folder: Path) -> Path:
    """A copy of a recorded machine, in a folder, on which a person works. Its shape is not changed."""
    machine = folder / case.name
    shutil.copytree(case, machine, symlinks=True)
    meta = json.loads((machine / "meta.json").read_text(encoding="utf-8-sig"))
    (machine / "meta.json").write_text(json.dumps({**meta, "host_name": HOST}), encoding="utf-8")
    _PLANTERS[meta["platform"]](machine)
    return machine


def _plant_linux(machine: Path) -> None:
    home = f"files{LINUX_HOME}"
    _write(machine, f"{home}/{DOCUMENT}", "x")
    _write(machine, "files/etc/hostname", f"{HOST}\n")
    _write(machine, "files/etc/machine-info", f'PRETTY_HOSTNAME="{HOST}"\n')
    _append(machine, "files/etc/passwd", f"{USER}:x:1000:1000:{MAIL}:{LINUX_HOME}:/bin/bash\n")
    _append(machine, "files/etc/hosts", f"127.0.1.1 {HOST}\n")
    _write(machine, f"files/etc/NetworkManager/system-connections/{SSID}.nmconnection", f"ssid={SSID}\n")
    _append(machine, "files/proc/net/wireless", f"wlan0: 0000 60. -50. {SSID}\n")
    _append(machine, "files/etc/resolv.conf", f"search {MARK}.example.vn\n")
    for file in ("files/etc/clamav/clamd.conf", "files/etc/clamd.d/scan.conf"):
        if (machine / file).is_file():
            _append(machine, file, f"OnAccessIncludePath {LINUX_HOME}\nUser {USER}\n")
    for mounts in ("files/proc/self/mounts", "files/proc/mounts"):
        if (machine / mounts).is_file():
            _append(machine, mounts, f"/dev/sdz1 {LINUX_HOME} ext4 rw 0 0\n")
            _append(machine, mounts, f"/dev/sdz2 /media/{USER}/{MARK} vfat rw 0 0\n")
            _append(machine, mounts, f"/dev/sdz3 /run/media/{USER}/{MARK} ext4 rw 0 0\n")
    for number in (4242, 4243):
        _write(machine, f"files/proc/{number}/cmdline", f"soffice\0{LINUX_HOME}/{DOCUMENT}\0")
        _write(machine, f"files/proc/{number}/environ", f"USER={USER}\0")
    _write(machine, "files/var/log/syslog", f"Nov 20 {HOST} sshd: login of {USER}\n")
    _write(machine, "files/etc/ufw/user.rules", f"### tuple ### allow tcp 22 comment={MARK.encode().hex()}\n")
    _answer(machine, _LINUX_COMMANDS)


_NFT_TEXT: Final = f"""table inet filter {{
  chain input {{
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    tcp dport 22 accept comment "{USER} {MAIL}"
    ip saddr 10.0.0.7 accept comment "may cua {USER}"
    log prefix "{MARK}"
  }}
}}
"""
_IPTABLES: Final = f"""*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m owner --uid-owner {USER} -j ACCEPT
-A INPUT -p tcp --dport 22 -m comment --comment "{USER} {MAIL}" -j ACCEPT
-A INPUT -j LOG --log-prefix "{MARK}"
COMMIT
"""
_NFT_JSON: Final = json.dumps(
    {
        "nftables": [
            {"table": {"family": "inet", "name": "filter", "handle": 1}},
            {
                "chain": {
                    "family": "inet", "table": "filter", "name": "input", "handle": 1,
                    "type": "filter", "hook": "input", "prio": 0, "policy": "drop",
                }
            },
            {
                "rule": {
                    "family": "inet", "table": "filter", "chain": "input", "handle": 2,
                    "comment": f"{USER} {MAIL}",
                    "expr": [{"log": {"prefix": MARK}}, {"accept": None}],
                }
            },
        ]
    }
)  # fmt: skip
_UFW: Final = f"Status: active\n\nTo Action From\n-- ------ ----\n22 ALLOW IN 10.0.0.7 # {USER} {MAIL}\n"
_LINUX_COMMANDS: Final[Mapping[tuple[str, ...], str]] = {
    ("nft", "-j", "list", "ruleset"): _NFT_JSON,
    ("nft", "list", "ruleset"): _NFT_TEXT,
    ("iptables-save",): _IPTABLES,
    ("ip6tables-save",): _IPTABLES,
    ("ufw", "status"): _UFW,
    ("ufw", "status", "verbose"): _UFW,
    ("who",): f"{USER} tty1\n",
    ("hostname",): f"{HOST}\n",
    ("iwgetid",): f'wlan0 ESSID:"{SSID}"\n',
    ("nmcli", "-t", "device"): f"wlan0:wifi:connected:{SSID}\n",
    ("last", "-x"): f"{USER} tty1 {HOST}\n",
    ("systemctl", "status", "firewalld"): f"Loaded: loaded\nActive: active (running)\nNov 20 {HOST} {USER}\n",
}

# Properties of WMI classes that name people, places or machines, in whatever class they occur.
_PERSONAL: Final[Mapping[str, Any]] = {
    "UserName": rf"{HOST}\{USER}",
    "RegisteredUser": USER,
    "PrimaryOwnerName": USER,
    "PrimaryOwnerContact": MAIL,
    "CSName": HOST,
    "DNSHostName": HOST,
    "DNSDomain": f"{MARK}.example.vn",
    "DNSDomainSuffixSearchOrder": [f"{MARK}.example.vn"],
    "Domain": MARK,
    "SystemName": HOST,
    "PSComputerName": HOST,
    "ComputerName": HOST,
    "__SERVER": HOST,
    "CommandLine": COMMAND,
    "ExecutablePath": rf"{WINDOWS_HOME}\{DOCUMENT}",
    "PathName": rf"{WINDOWS_HOME}\{DOCUMENT}",
    "StartName": rf".\{USER}",
    "pathToSignedProductExe": rf"{WINDOWS_HOME}\AppData\av.exe",
    "pathToSignedReportingExe": rf"{WINDOWS_HOME}\AppData\av.exe",
    "VolumeName": MARK,
    "InsertionStrings": [rf"{HOST}\{USER}", COMMAND],
    "Message": f"{USER} {COMMAND}",
    "User": rf"{HOST}\{USER}",
}


def _plant_windows(machine: Path) -> None:
    for path in (machine / "wmi").rglob("*.json"):
        objects = json.loads(path.read_text(encoding="utf-8-sig"))
        for one in objects:
            one.update(_PERSONAL)
        if path.stem.lower() == "win32_computersystem":
            for one in objects:
                one.update({"Name": HOST, "Caption": HOST})
        path.write_text(json.dumps(objects), encoding="utf-8")
    _wmi(machine, "root/cimv2", "Win32_Process", [{"Name": "soffice.exe", **_PERSONAL}])
    _wmi(machine, "root/cimv2", "Win32_Service", [{"Name": "Spooler", "State": "Running", **_PERSONAL}])
    _wmi(machine, "root/cimv2", "Win32_NTLogEvent", [{"EventCode": 1074, "Logfile": "System", **_PERSONAL}])
    profile = {"Name": SSID, "InterfaceAlias": "Wi-Fi", "NetworkCategory": 0, **_PERSONAL}
    _wmi(machine, "root/StandardCimv2", "MSFT_NetConnectionProfile", [profile])
    rule = {"DisplayName": f"{USER} {DOCUMENT}", "Enabled": 1, **_PERSONAL}
    _wmi(machine, "root/StandardCimv2", "MSFT_NetFirewallRule", [rule])
    registry = machine / "registry"
    registry.mkdir(exist_ok=True)
    text = _REGISTRY.replace("{HOME}", WINDOWS_HOME.replace("\\", "\\\\"))
    (registry / "zz-people.reg").write_text(text, encoding="utf-8")
    _answer(
        machine,
        {
            ("netsh", "wlan", "show", "interfaces"): f"SSID : {SSID}\n",
            ("quser",): f">{USER} console\n",
            ("sc.exe", "query", "mpssvc"): "STATE : 4  RUNNING\n",
        },
    )


_PROFILE: Final = "{8E3C64AF-1111-2222-3333-0123456789AB}"
_REGISTRY: Final = rf"""Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion]
"RegisteredOwner"="{USER}"
"RegisteredOrganization"="{MARK}"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\S-1-5-21-1]
"ProfileImagePath"="{{HOME}}"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon]
"DefaultUserName"="{USER}"

[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles\{_PROFILE}]
"ProfileName"="{SSID}"
"Description"="{SSID}"
"Category"=dword:00000000
"DateLastConnected"=hex:ea,07,0b,00,05,00,14,00,08,00,00,00,00,00,00,00

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName]
"ComputerName"="{HOST}"

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters]
"Hostname"="{HOST}"
"NV Hostname"="{HOST}"
"Domain"="{MARK}.example.vn"

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules]
"{{1}}"="v2.30|Action=Allow|App={{HOME}}\\{DOCUMENT}|Name={USER}|"

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Spooler]
"ImagePath"="{{HOME}}\\spool.exe"
"ObjectName"=".\\{USER}"
"Start"=dword:00000002
"""


def _plant_macos(machine: Path) -> None:
    _write(machine, f"files/Users/{USER}/{DOCUMENT}", "x")
    _write(machine, "files/etc/hosts", f"127.0.0.1 {HOST}\n")
    _answer(
        machine,
        {
            ("scutil", "--get", "ComputerName"): f"{HOST}\n",
            ("id", "-un"): f"{USER}\n",
            ("networksetup", "-getairportnetwork", "en0"): f"Current Wi-Fi Network: {SSID}\n",
            ("sysctl", "-n", "kern.hostname"): f"{HOST}\n",
            ("/usr/libexec/ApplicationFirewall/socketfilterfw", "--listapps"): f"1 : /Users/{USER}/a.app\n",
        },
    )


_PLANTERS: Final = {"linux": _plant_linux, "windows": _plant_windows, "macos": _plant_macos}


def _write(machine: Path, name: str, text: str) -> None:
    path = machine / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _append(machine: Path, name: str, text: str) -> None:
    path = machine / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_bytes() if path.is_file() else b""
    path.write_bytes(before + text.encode())


def _wmi(machine: Path, namespace: str, name: str, objects: Sequence[Mapping[str, Any]]) -> None:
    """A class that was not recorded; one that was keeps its objects, which are planted already."""
    folder = machine / "wmi" / namespace
    if any(path.stem.lower() == name.lower() for path in (machine / "wmi").rglob("*.json")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(list(objects)), encoding="utf-8")


def _answer(machine: Path, outputs: Mapping[tuple[str, ...], str]) -> None:
    """Commands that were not recorded, answered; recorded ones get people into what they print."""
    path = machine / "commands.json"
    entries = json.loads(path.read_text(encoding="utf-8-sig")) if path.is_file() else []
    for number, entry in enumerate(entries):
        file = machine / entry.get("stdout", "")
        if file.is_file() and not entry.get("exit"):
            entry["stdout"] = f"peopled-{number}.txt"
            text = _peopled(entry["argv"], file.read_text(encoding="utf-8", errors="replace"))
            (machine / entry["stdout"]).write_text(text, encoding="utf-8")
    known = {tuple(entry["argv"]) for entry in entries}
    for number, (argv, text) in enumerate(outputs.items()):
        if argv not in known:
            name = f"planted-{number}.txt"
            (machine / name).write_text(text, encoding="utf-8")
            entries.append({"argv": list(argv), "stdout": name, "exit": 0})
    path.write_text(json.dumps(entries), encoding="utf-8")


_REMARK: Final = f"{USER} {MAIL}"
_ROWS: Final[Mapping[str, str]] = {
    "last": f"{USER} tty1 {HOST} 2026-11-19T08:00:00+0700 still logged in\n",
    "df": f"/dev/sdz1 1000 500 500 50% {LINUX_HOME}\n/dev/sdz2 1000 500 500 50% /media/{USER}/{MARK}\n",
    "ufw": f"23 ALLOW IN 10.0.0.7 # {_REMARK}\n",
}


def _peopled(argv: Sequence[str], text: str) -> str:
    """What a command printed, with what it prints of people on other machines."""
    if argv[0].endswith("-save"):
        rule = f'-A INPUT -p tcp --dport 22 -m comment --comment "{_REMARK}" -j ACCEPT'
        return text.replace("\nCOMMIT", f"\n{rule}\nCOMMIT", 1)
    if argv[0] == "nft":
        return (
            _rules_json(text)
            if "-j" in argv
            else re.sub(r"(?m)\baccept$", f'accept comment "{_REMARK}"', text)
        )
    if argv[0] == "smartctl":
        return json.dumps({**json.loads(text), "serial_number": MARK, "local_time": {"asctime": MARK}})
    if argv[0] == "dmidecode":
        return re.sub(r"(?m)^(\s+(?:Serial Number|Asset Tag|UUID)): .*$", rf"\1: {MARK}", text)
    if argv[0] == "journalctl" and "--output=json" in argv:
        return "".join(
            json.dumps({**json.loads(line), "_HOSTNAME": HOST, "MESSAGE": _REMARK, "_CMDLINE": COMMAND})
            + "\n"
            for line in text.splitlines()
        )
    return text + _ROWS.get(argv[0], "")


def _rules_json(text: str) -> str:
    rules = json.loads(text)
    for one in rules["nftables"]:
        if "rule" in one:
            one["rule"]["comment"] = _REMARK
    return json.dumps(rules)
