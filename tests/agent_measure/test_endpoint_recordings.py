"""Recorded outputs of real machines give their facts through ``hatang-agent once … --replay``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hatang_agent.probes import hardware
from support.endpoint_data import Recording, expected, facts, once, windows_machine


@pytest.fixture
def endpoint(field_data: Path) -> Path:
    """The folder with recorded outputs of office machines."""
    return field_data / "endpoint"


def matches(found: Mapping[str, Any], adapter: Mapping[str, Any]) -> None:
    """One adapter's fact against what somebody checked by hand."""
    assert (found["mac"], found["up"]) == (adapter["mac"].lower(), adapter["up"])
    assert found["virtual"] is adapter["virtual"]
    assert found.get("ipv4", "").split(",")[0] == (adapter["ipv4"] or "")
    assert found.get("gateway") == adapter["gateway"]
    if adapter["kind"] is not None:
        assert found["medium"] == adapter["kind"]


@pytest.mark.parametrize(("machine", "key"), [("7", "physical"), ("vpn-up", "adapters")])
def test_windows_adapters(endpoint: Path, tmp_path: Path, machine: str, key: str) -> None:
    """Every adapter of the truth, with its link, addresses, gateway and kind."""
    truth = expected(endpoint, f"windows nics {machine}")
    found = facts(once("interfaces", windows_machine(endpoint, machine, tmp_path)), "nic")
    by_description = {one["description"]: one for one in found.values()}
    for adapter in truth[key]:
        matches(by_description[adapter["description"]], adapter)
    chosen = [one for one in found.values() if one["primary"]]
    address = truth.get("primary_ipv4", "192.168.0.1")
    assert [one["ipv4"] for one in chosen] == [address]
    bluetooth = next(one for name, one in by_description.items() if "luetooth" in name)
    assert bluetooth["medium"] == "bluetooth"


def test_ip_addr_alone(endpoint: Path, tmp_path: Path) -> None:
    """Without any file, `ip addr` gives adapters, addresses and the primary one; tunnels are virtual."""
    content = (endpoint / "linux/ip-ip_addr-1").read_bytes()
    found = facts(once("interfaces", Recording(tmp_path, "linux").command(["ip", "addr"], content)), "nic")
    for name, truth in expected(endpoint, "ip_addr-1")["has"].items():
        assert (found[name]["mac"], found[name]["ipv4"]) == (truth["mac"], truth["ipv4"])
        assert found[name]["primary"] is True
    assert {name: one["virtual"] for name, one in found.items()} == {
        "eth0": False,
        "wlan0": False,
        "lo": True,
        "tun0": True,
        "tun1": True,
        "tap0": True,
    }
    assert (found["tun0"]["medium"], found["wlan0"]["medium"]) == ("virtual", "wifi")
    assert found["wlan0"]["up"] is False
    assert found["eth0"]["ipv6"] == "2a01:e34:ef9c:64d0:223:18ff:fe91:db8d"


def test_two_addresses_on_a_card(endpoint: Path, tmp_path: Path) -> None:
    """Another recording of the same kind: both addresses of a card, and pseudo devices stay virtual."""
    content = (endpoint / "linux/ip-ip_addr-2").read_bytes()
    found = facts(once("interfaces", Recording(tmp_path, "linux").command(["ip", "addr"], content)), "nic")
    assert set(found["eth0"]["ipv4"].split(",")) == {"11.11.11.11", "172.16.0.201"}
    assert (found["eth0"]["primary"], found["sit0"]["virtual"]) == (True, True)


@pytest.mark.parametrize(
    ("name", "chassis", "modules", "threads", "uuid"),
    [
        ("dell-fx160", "desktop", 1, 2, "4c4c4544-0038-3310-8054-c3c04f35344a"),
        ("lenovo-thinkpad", "laptop", 2, 4, "725ba801-507b-11cb-95e6-c66052aac597"),
    ],
)
def test_dmidecode(
    endpoint: Path, tmp_path: Path, name: str, chassis: str, modules: int, threads: int, uuid: str
) -> None:
    """Where /sys tells nothing: maker, model, BIOS, case, memory; serials go to the fingerprint only."""
    truth = expected(endpoint, f"bios {name}")
    content = (endpoint / f"generic/dmidecode-{name}").read_bytes()
    recording = Recording(tmp_path, "linux").command(["dmidecode"], content)
    run = once("hardware", recording)
    found = facts(run, "computer")[""]
    assert {key: found[key] for key in ("manufacturer", "model", "bios_version")} == {
        key: truth[key] for key in ("manufacturer", "model", "bios_version")
    }
    month, day, year = truth["bios_date"].split("/")
    assert found["bios_date"] == f"{year}-{month}-{day}"
    assert (found["chassis"], found["memory_modules"]) == (chassis, modules)
    assert facts(run, "cpu")[""]["threads"] == threads
    prints = hardware.fingerprint(recording.system())
    assert (prints["smbios_uuid"], prints["system_serial"]) == (uuid, truth["serial"].lower())
    sent = json.dumps(run).lower()
    assert [value for value in prints.values() if value in sent] == []


def test_a_home_built_machine(endpoint: Path, tmp_path: Path) -> None:
    """Makers' placeholders are left out of facts and fingerprint; board serial and UUID stay."""
    content = (endpoint / "generic/dmidecode-windows-7").read_bytes()
    recording = Recording(tmp_path, "linux").command(["dmidecode"], content)
    found = facts(once("hardware", recording), "computer")[""]
    assert found == {
        "chassis": "desktop",
        "memory_modules": 2,
        "bios_vendor": "American Megatrends Inc.",
        "bios_version": "1503",
        "bios_date": "2011-03-10",
    }
    assert hardware.fingerprint(recording.system()) == {
        "smbios_uuid": "1e00e6e0-008c-4400-9aad-f46d04972d3e",
        "board_serial": "mt7013k30709271",
    }


@pytest.fixture
def systeminfo(endpoint: Path, tmp_path: Path) -> Recording:
    """A Windows of which nothing but the command's output is known."""
    content = (endpoint / "jc/windows-windows-10-systeminfo.out").read_bytes()
    return Recording(tmp_path, "windows", release="10").command(["systeminfo"], content)


def test_systeminfo(endpoint: Path, systeminfo: Recording) -> None:
    """Maker, model, memory, BIOS, system and cards, as the origin project reads them."""
    truth = json.loads((endpoint / "jc/windows-windows-10-systeminfo.json").read_text())
    computer = facts(once("hardware", systeminfo), "computer")[""]
    assert (computer["manufacturer"], computer["model"]) == (
        truth["system_manufacturer"],
        truth["system_model"],
    )
    assert computer["memory_total"] == truth["total_physical_memory_mb"] << 20
    assert f"{computer['bios_vendor']} {computer['bios_version']}" in truth["bios_version"]
    assert (computer["bios_date"], computer["chassis"]) == ("2020-08-10", "virtual")
    system = facts(once("system", systeminfo), "os")[""]
    assert f"Microsoft {system['name']}" == truth["os_name"]
    assert truth["os_version"].startswith(system["version"])
    assert (system["build"], system["support_end"], system["supported"]) == ("19042", "2023-05-09", "no")


def test_cards_of_systeminfo(endpoint: Path, systeminfo: Recording) -> None:
    """Names and addresses; whether a card is hardware is not told, so none is called primary."""
    truth = json.loads((endpoint / "jc/windows-windows-10-systeminfo.json").read_text())["network_cards"]
    found = facts(once("interfaces", systeminfo), "nic")
    for card in truth:
        one = found[card["connection_name"]]
        assert one["description"] == card["name"]
        assert one["ipv4"] == next(text for text in card["ip_addresses"] if "." in text)
        assert (one["medium"], one["up"], one["primary"]) == ("unknown", True, False)
        assert "virtual" not in one


def test_a_systeminfo_in_another_language_is_not_understood(tmp_path: Path) -> None:
    """Its labels follow the system's language: nothing is told, nothing is guessed."""
    text = "Nom de l’hôte:                              POSTE\nFabricant du système:     Dell Inc.\n"
    recording = Recording(tmp_path, "windows", release="10").command(["systeminfo"], text)
    assert [once(probe, recording)["status"] for probe in ("hardware", "system", "interfaces")] == [
        "no_data",
        "no_data",
        "no_data",
    ]


@pytest.mark.parametrize(
    ("machine", "probe", "kind", "fields"),
    [
        ("7", "hardware", "computer", {"memory_modules": 2}),
        ("7", "hardware", "cpu", {"cores": 4, "threads": 4}),
        (
            "win7-sp1-x64",
            "system",
            "os",
            {"edition": "Professional", "build": "7600", "supported": "no", "support_end": "2013-04-09"},
        ),
        ("11-AzureAD", "hardware", "computer", {"manufacturer": "LENOVO", "memory_total": 16863318016}),
    ],
)
def test_other_exports(
    endpoint: Path, tmp_path: Path, machine: str, probe: str, kind: str, fields: dict[str, object]
) -> None:
    """Memory modules, processor and the end of support of recorded Windows machines."""
    found = facts(once(probe, windows_machine(endpoint, machine, tmp_path)), kind)[""]
    assert {key: found.get(key) for key in fields} == fields


def test_a_disk_of_windows_7_has_the_serial_that_linux_reads(endpoint: Path, tmp_path: Path) -> None:
    """Windows 7 writes serials in hexadecimal, swapped in pairs."""
    system = windows_machine(endpoint, "win7-sp1-x64", tmp_path).system()
    assert hardware.fingerprint(system)["disk_serial.0"] == "vb2cff0f95-b2f7db11"


BIOS_REG = r"""Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\HARDWARE\DESCRIPTION\System\BIOS]
"SystemManufacturer"="Dell Inc."
"SystemProductName"="OptiPlex 3060"
"BIOSVendor"="Dell Inc."
"BIOSVersion"="1.18.0"
"BIOSReleaseDate"="09/14/2021"

[HKEY_LOCAL_MACHINE\HARDWARE\DESCRIPTION\System\CentralProcessor\0]
"ProcessorNameString"="Intel(R) Core(TM) i5-8500 CPU @ 3.00GHz"

[HKEY_LOCAL_MACHINE\HARDWARE\DESCRIPTION\System\CentralProcessor\1]
"ProcessorNameString"="Intel(R) Core(TM) i5-8500 CPU @ 3.00GHz"
"""


def test_the_registry_where_wmi_does_not_answer(systeminfo: Recording) -> None:
    """Maker, model, BIOS and processor without a child process; systeminfo is not asked then."""
    run = once("hardware", systeminfo.registry("bios", BIOS_REG))
    assert facts(run, "computer")[""] == {
        "manufacturer": "Dell Inc.",
        "model": "OptiPlex 3060",
        "virtual": False,
        "bios_vendor": "Dell Inc.",
        "bios_version": "1.18.0",
        "bios_date": "2021-09-14",
    }
    assert facts(run, "cpu")[""] == {"name": "Intel(R) Core(TM) i5-8500 CPU @ 3.00GHz", "threads": 2}


def test_a_placeholder_from_wmi_is_an_answer(systeminfo: Recording) -> None:
    """A home-built machine without a maker's name costs no slow command every day."""
    row = {
        "Manufacturer": "To Be Filled By O.E.M.",
        "Model": "System Product Name",
        "TotalPhysicalMemory": "1",
    }
    found = facts(once("hardware", systeminfo.wmi("Win32_ComputerSystem", [row])), "computer")[""]
    assert found == {"memory_total": 1}


@pytest.mark.parametrize(
    ("mains", "status", "told"),
    [
        ("0", "Discharging", "off"),
        ("1", "Charging", "on"),
        (None, "Discharging", "off"),
        (None, "Unknown", "unreadable"),
    ],
)
def test_a_change_of_mains_changes_the_fact(
    tmp_path: Path, mains: str | None, status: str, told: str
) -> None:
    """The fact, not only a sample, says it: a changed fact makes the agent report at once."""
    folder = "/sys/class/power_supply"
    recording = Recording(tmp_path, "linux").file(f"{folder}/BAT0/type", "Battery\n")
    recording.file(f"{folder}/BAT0/status", status + "\n").file(f"{folder}/BAT0/capacity", "140\n")
    if mains is not None:
        recording.file(f"{folder}/AC/type", "Mains\n").file(f"{folder}/AC/online", mains + "\n")
    run = once("power", recording)
    assert facts(run, "power")[""]["mains"] == told
    assert run.get("samples", []) == []  # 140 percent is no charge


def test_predicted_failure_on_windows_7(tmp_path: Path) -> None:
    """Where the storage classes are missing, the disk driver's prediction is used, by plug-and-play id."""
    disks = [
        {"Index": 0, "PNPDeviceID": "IDE\\DISKWDC\\4&1", "InterfaceType": "IDE", "MediaType": "Fixed"},
        {"Index": 1, "PNPDeviceID": "IDE\\DISKST\\4&2", "InterfaceType": "IDE", "MediaType": "Fixed"},
        {"Index": 2, "PNPDeviceID": "IDE\\DISKXX\\4&3", "InterfaceType": "IDE", "MediaType": "Fixed"},
    ]
    told = [
        {"InstanceName": "IDE\\DiskWDC\\4&1_0", "PredictFailure": True},
        {"InstanceName": "IDE\\DiskST\\4&2_0", "PredictFailure": False},
    ]
    recording = Recording(tmp_path, "windows").wmi("Win32_DiskDrive", disks)
    recording.wmi("MSStorageDriver_FailurePredictStatus", told)
    found = facts(once("hardware", recording), "disk")
    assert [found[key]["health"] for key in ("0", "1", "2")] == ["failing", "good", "unreadable"]
