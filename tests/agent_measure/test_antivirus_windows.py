"""Antivirus on Windows: registrations that outlive their product, one PowerShell, servers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hatang_agent import config, registry
from hatang_agent.probes import antivirus_windows
from hatang_agent.probes._antivirus_center import CENTER, STATUS, decode, defender, registrations
from hatang_agent.probes._antivirus_verdict import Look, judge, summarise
from hatang_agent.runner import Runner
from hatang_agent.system import CommandMissing, CommandTimeout, Output
from hatang_agent.system_replay import ReplaySystem
from hatang_agent.wire import codec
from support.endpoint_data import Recording, facts

ON, STALE, OFF, SNOOZED = 266240, 266256, 262144, 270336
WINDEFEND_OFF_GUID = "{D68DDC3A-831F-4fae-9E44-DA132C1ACF46}"
WORKING = {
    "AMRunningMode": "Normal",
    "AMServiceEnabled": True,
    "AntivirusEnabled": True,
    "RealTimeProtectionEnabled": True,
    "AntivirusSignatureAge": 1,
}
SERVICES = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services"


def measured(system: ReplaySystem) -> dict[str, Any]:
    """The run as it travels."""
    probe = registry.probes()["antivirus"]
    plan = config.plan(config.AgentConfig(), probe, "pc")
    done: dict[str, Any] = codec.plain(Runner(system, lambda: "0" * 16 + "-1").execute(probe, plan.config))
    assert done["status"] == "ok", done
    return done


def services(**rows: Mapping[str, object]) -> str:
    """A registry export of services; those of every Windows are always among them."""
    lines = ["Windows Registry Editor Version 5.00", ""]
    for name, values in {"EventLog": {}, "RpcSs": {}, **rows}.items():
        lines.append(f"[{SERVICES}\\{name}]")
        lines += [
            f'"{key}"=dword:{value:08x}' if isinstance(value, int) else f'"{key}"="{value}"'
            for key, value in values.items()
        ]
    return "\n".join(lines)


FILTER = {"Group": "FSFilter Anti-Virus", "Start": 0}


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (397568, "protected"),
        ("397568", "protected"),
        (462848, "protected"),
        (397584, "out_of_date"),
        (SNOOZED, "off"),
        (0x043000, "off"),
        (0x042010, "off"),
        (0x044000, "unreadable"),
        (0x041020, "unreadable"),
        (0x041001, "unreadable"),
        (0x041200, "unreadable"),
        (0x021000, "unreadable"),
        (0x1041000, "unreadable"),
        (-397568, "unreadable"),
        (True, "unreadable"),
        (266240.0, "unreadable"),
        (None, "unreadable"),
        ("0x41000", "unreadable"),
    ],
)
def test_only_known_bits_are_read(number: object, state: str) -> None:
    """A number with bits that nobody knows says nothing."""
    (found,) = registrations([{"displayName": "Guard", "productState": number}])
    assert judge(found, 7).state == state


def registered(*numbers: int, times: Sequence[str] = ()) -> str:
    """State of a product that is registered several times."""
    objects = [
        {"displayName": "Trend Micro Apex One", "instanceGuid": f"{{{at}}}", "productState": number}
        | ({"timestamp": times[at]} if times else {})
        for at, number in enumerate(numbers)
    ]
    (found,) = registrations(objects)
    assert found.key == "trend_micro"
    assert all(str(number) in found.evidence for number in numbers)
    return judge(found, 7).state


def test_two_registrations_of_one_product() -> None:
    """They agree, or the newest is known, or nobody knows which one is alive."""
    older, newer = "Mon, 25 Jan 2026 18:48:29 GMT", "Tue, 10 Nov 2026 01:00:00 GMT"
    assert registered(ON, ON) == "protected"
    assert registered(OFF, OFF) == "off"
    assert registered(STALE, OFF) == "unreadable"
    assert registered(ON, OFF) == "unreadable"
    assert registered(ON, OFF, times=(older, newer)) == "off"
    assert registered(ON, OFF, times=(newer, older)) == "protected"
    assert registered(ON, OFF, times=(newer, newer)) == "unreadable"
    assert registered(ON, OFF, times=(newer, "last week")) == "unreadable"


def test_a_registration_without_its_product_proves_nothing(tmp_path: Path) -> None:
    """Panda is gone, its entry says on: only while its service or a filter is there is it believed."""

    def state(name: str, **rows: Mapping[str, object]) -> str:
        machine = Recording(tmp_path / name, "windows", release="10")
        machine.wmi("AntiVirusProduct", [{"displayName": "Panda Dome", "productState": ON}])
        machine.registry("services", services(**rows))
        found = facts(measured(machine.system()), "antivirus")
        return str(found["panda"]["state"])

    assert state("gone", WdFilter=FILTER) == "unreadable"
    assert state("service", NanoServiceMain={"Start": 2}) == "protected"
    assert state("filter", SomeNewFilter=FILTER) == "protected"
    assert state("disabled", SomeNewFilter={**FILTER, "Start": 4}) == "unreadable"


def test_defenders_class_corrects_its_registration() -> None:
    """Registered as on while its real-time protection is off, and the other way round."""
    (on,) = registrations([{"instanceGuid": WINDEFEND_OFF_GUID, "productState": 397568}])
    (off,) = registrations([{"instanceGuid": WINDEFEND_OFF_GUID, "productState": 393472}])

    def state(registration: Any, **changed: object) -> str:
        found = defender({**WORKING, **changed}, registration, 0)
        assert found is not None
        return judge(found, 7).state

    assert state(off) == "protected"
    assert state(on, RealTimeProtectionEnabled=False) == "off"
    assert state(on, AntivirusEnabled=False) == "off"
    assert state(on, AMRunningMode="Passive Mode") == "off"
    assert state(on, AMRunningMode="SxS Passive Mode") == "off"
    assert state(on, AMRunningMode="EDR Block Mode") == "off"
    assert state(on, AMRunningMode="Something New") == "unreadable"
    assert state(on, RealTimeProtectionEnabled=None) == "protected"
    assert state(on, RealTimeProtectionEnabled=None, AMRunningMode=None) == "unreadable"
    assert state(on, RealTimeProtectionEnabled="perhaps") == "unreadable"
    assert state(on, AntivirusSignatureAge=8) == "out_of_date"
    assert state(on, DefenderSignaturesOutOfDate=True) == "out_of_date"
    assert state(on, AntivirusSignatureAge=4294967295) == "protected", "the registration says current"
    assert state(None, AntivirusSignatureAge=65535) == "unreadable"
    assert (
        state(None, AntivirusSignatureAge=None, AntivirusSignatureLastUpdated="/Date(3600000)/")
        == "protected"
    )
    nothing_told = dict.fromkeys(WORKING)
    assert state(on, **nothing_told) == "protected", "an empty class corrects nothing"


def test_off_beside_another_is_normal(tmp_path: Path) -> None:
    """One active product suffices, and it is the one that is named."""
    machine = Recording(tmp_path, "windows", release="10")
    products = [
        {"displayName": "Windows Defender", "instanceGuid": WINDEFEND_OFF_GUID, "productState": 393472},
        {"displayName": "Phần mềm Bảo vệ 2026", "productState": ON},
    ]
    run = measured(machine.wmi("AntiVirusProduct", products).system())
    assert facts(run, "antivirus")["microsoft_defender"]["state"] == "off"
    assert facts(run, "antivirus")["phan_mem_bao_ve"]["state"] == "protected"
    assert facts(run, "antivirus_summary")[""]["product"] == "Phần mềm Bảo vệ 2026"


class Asked(ReplaySystem):
    """A Windows whose PowerShell answers what the test says."""

    answer: str | Exception = "[]"
    programs = 0

    def run(self, argv: Sequence[str], timeout_s: float) -> Output:
        """PowerShell only, and every start is counted."""
        assert argv[0] == "powershell.exe"
        assert 0 < timeout_s < 60
        self.programs += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return Output(self.answer, "", 0)


def live(tmp_path: Path, answer: object, *, with_services: str = "") -> dict[str, Any]:
    """A run on a machine whose PowerShell gives this answer."""
    machine = Recording(tmp_path, "windows", release="10")
    if with_services:
        machine.registry("services", with_services)
    system = Asked(machine.folder)
    system.answer = answer if isinstance(answer, (str, Exception)) else json.dumps(answer)
    run = measured(system)
    assert system.programs == 1
    return run


def said(name: str, objects: object = (), error: str = "") -> dict[str, object]:
    """One class's part of the answer."""
    return {"name": name, "objects": objects if isinstance(objects, dict) else list(objects), "error": error}  # type: ignore[call-overload]


def test_one_powershell_asks_everything(tmp_path: Path) -> None:
    """A client with its answers in one; a failing class is no gap where another tells enough."""
    answer = [
        said(CENTER[1], [{"displayName": "Windows Defender", "productState": 397568}]),
        said(STATUS[1], [WORKING]),
        said("Win32_Service", error="AccessDenied!"),
    ]
    run = live(tmp_path, answer)
    assert facts(run, "antivirus_summary")[""]["state"] == "protected"
    assert facts(run, "antivirus")["microsoft_defender"]["signature_age_days"] == 1


def test_the_command_names_every_class_and_property() -> None:
    """The script is a constant, quotes nothing foreign and asks what the reader reads."""
    script = antivirus_windows.one_command()[-1]
    for namespace, name, properties in antivirus_windows.QUESTIONS:
        assert f"'{namespace}' '{name}'" in script
        assert all(f"'{one}'" in script for one in properties)
    assert script.count("{") == script.count("}")
    assert script.count("(") == script.count(")")


ABSENT = [said(CENTER[1]), said(STATUS[1], error="InvalidNamespace!"), said("Win32_Service")]


@pytest.mark.parametrize(
    ("answer", "installed", "state"),
    [
        (ABSENT, services(), "absent"),
        (ABSENT, services(WdFilter=FILTER), "absent"),
        (ABSENT, services(StrangeFlt=FILTER), "unreadable"),
        (ABSENT, services(ekrn={"Start": 2}), "unreadable"),
        (ABSENT, services(ekrn={"Start": 4}), "off"),
        (ABSENT, services(WinDefend={"Start": 2}), "unreadable"),
        (ABSENT, "", "unreadable"),
        ([said(CENTER[1], error="Failed!"), *ABSENT[1:]], services(), "unreadable"),
        ([said(CENTER[1], error="!"), *ABSENT[1:]], services(), "unreadable"),
        ([ABSENT[0], said(STATUS[1], error="AccessDenied!"), ABSENT[2]], services(), "unreadable"),
        (ABSENT[1:], services(), "unreadable"),
        ([said(CENTER[1], {"value": [], "Count": 0}), *ABSENT[1:]], services(), "absent"),
        ([said(CENTER[1], ["x"]), *ABSENT[1:]], services(), "unreadable"),
        ("", services(), "unreadable"),
        ("ConvertTo-Json : not recognised", services(), "unreadable"),
        (CommandTimeout(["powershell.exe"], 1), services(), "unreadable"),
    ],
)
def test_absent_needs_a_complete_look(tmp_path: Path, answer: object, installed: str, state: str) -> None:
    """Every source answered and nothing is there; one silent source, and it is unreadable."""
    run = live(tmp_path, answer, with_services=installed)
    assert facts(run, "antivirus_summary")[""]["state"] == state


def test_without_powershell_the_look_is_incomplete(tmp_path: Path) -> None:
    """The run still goes well and says what is missing."""

    class Bare(ReplaySystem):
        """A Windows without PowerShell."""

        def wmi(self, namespace: str, name: str, properties: Sequence[str]) -> list[Mapping[str, Any]]:
            """As on a live machine, it is PowerShell that is asked."""
            if name == "Win32_OperatingSystem":  # the clock of a recording asks for it
                return []
            raise CommandMissing(["powershell.exe", namespace, name, *properties])

    machine = Recording(tmp_path, "windows", release="10").registry("services", services())
    told = facts(measured(Bare(machine.folder)), "antivirus_summary")[""]
    assert told["state"] == "unreadable"
    assert "PowerShell is missing" in told["why"]


@pytest.mark.parametrize(
    ("build", "release", "state"),
    [("7601", "10", "absent"), ("", "7", "absent"), ("9600", "8.1", "unreadable"), ("", "10", "unreadable")],
)
def test_windows_7_calls_a_hunter_of_spyware_defender(
    tmp_path: Path, build: str, release: str, state: str
) -> None:
    """Before Windows 8 the service WinDefend is no antivirus."""
    machine = Recording(tmp_path, "windows", release=release)
    version = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    number = f'\n[{version}]\n"CurrentBuildNumber"="{build}"\n' if build else ""
    machine.registry("services", services(WinDefend={"Start": 2}) + number)
    assert facts(measured(machine.system()), "antivirus_summary")[""]["state"] == state


def test_a_signing_plugin_of_bkav_is_no_antivirus(tmp_path: Path) -> None:
    """BkavCA signs documents in most offices; its service must not look like the antivirus."""
    machine = Recording(tmp_path, "windows", release="10")
    machine.registry("services", services(BkavCASignerPluginService={"Start": 2}))
    assert facts(measured(machine.system()), "antivirus") == {}


def test_a_driver_nobody_claims_is_named(tmp_path: Path) -> None:
    """A file system filter of the antivirus group is evidence of a product, not of protection."""
    machine = Recording(tmp_path, "windows", release="2019Server")
    machine.registry("services", services(NewGuardFlt=FILTER, BkavSdFlt=FILTER, vsepflt=FILTER))
    found = facts(measured(machine.system()), "antivirus")
    assert {key: one["state"] for key, one in found.items()} == {
        "newguardflt": "unreadable",
        "bkav": "unreadable",
    }


def test_decode_gives_reasons() -> None:
    """Snoozed and expired are off, and say so."""
    assert decode(SNOOZED) == (False, True, "it is registered as snoozed")
    assert decode(0x43010) == (False, False, "it is registered as expired")
    assert summarise(Look(registrations([{"displayName": "A", "productState": 0x43010}])), 7).why == (
        "it is registered as expired"
    )
