"""The Windows variants on answers that real machines gave to WMI (exports of other inventories)."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatang_agent.probes import hardware_windows, interfaces_windows, system_windows
from hatang_agent.probes._nic import Nic
from hatang_agent.system_replay import ReplaySystem

Recorded = Callable[..., ReplaySystem]


def objects(content: bytes) -> list[dict[str, Any]]:
    """Objects of a list that `wmic … get /format:list` printed."""
    found: list[dict[str, Any]] = [{}]
    for line in content.decode("utf-16", errors="replace").splitlines():
        name, equals, text = line.partition("=")
        if equals and not line.startswith("#"):
            if name in found[-1]:
                found.append({})
            found[-1][name] = value(html.unescape(text.strip()))
    return [one for one in found if one]


def value(text: str) -> object:
    """A property as JSON would have it."""
    if text.startswith("{") and text.endswith("}") and '"' in text:
        return [part.strip().strip('"') for part in text[1:-1].split(",")]
    return {"TRUE": True, "FALSE": False, "": None}.get(text, text)


@pytest.fixture
def recorded(tmp_path: Path, field_data: Path) -> Recorded:
    """Lays the exports of one machine out as a recording."""

    def make(machine: str) -> ReplaySystem:
        for path in (field_data / "endpoint/windows/wmi").glob(f"{machine}-*.wmi"):
            name = path.stem.removeprefix(f"{machine}-")
            folder = tmp_path / "wmi" / ("root/StandardCimv2" if name == "MSFT_NetAdapter" else "root/cimv2")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.json").write_text(json.dumps(objects(path.read_bytes())))
        (tmp_path / "meta.json").write_text('{"platform": "windows", "release": "7"}')
        return ReplaySystem(tmp_path)

    return make


def expected(field_data: Path, name: str, key: str) -> list[dict[str, Any]]:
    """What the collection of recordings says of a machine's adapters."""
    found: list[dict[str, Any]] = json.loads((field_data / "endpoint/expected.json").read_text())[name][key]
    return found


def by_description(system: ReplaySystem) -> dict[str, Nic]:
    """Adapters of a recording."""
    return {nic.description: nic for nic in interfaces_windows.describe(system)}


@pytest.mark.parametrize(("machine", "key"), [("7", "physical"), ("vpn-up", "adapters")])
def test_adapters_of_real_machines(recorded: Recorded, field_data: Path, machine: str, key: str) -> None:
    """Link, address, gateway, kind and whether it is virtual, as somebody checked by hand."""
    found = by_description(recorded(machine))
    for adapter in expected(field_data, f"windows nics {machine}", key):
        nic = found[adapter["description"]]
        assert (nic.mac, nic.up, nic.virtual) == (adapter["mac"].lower(), adapter["up"], adapter["virtual"])
        assert (nic.ipv4[0] if nic.ipv4 else None) == adapter["ipv4"]
        assert nic.gateway == adapter["gateway"]
        if adapter["kind"] is not None and not nic.virtual:
            assert nic.medium == adapter["kind"]


def test_a_vpn_is_no_office_card(recorded: Recorded) -> None:
    """Only real cards count; Bluetooth and tunnels are not measured."""
    real = sorted(nic.description for nic in by_description(recorded("vpn-up")).values() if nic.real)
    assert real == ["Intel(R) Wi-Fi 6 AX201 160MHz", "Realtek USB GbE Family Controller #2"]


def test_processor_of_a_real_machine(recorded: Recorded) -> None:
    """Name, cores and threads from Win32_Processor."""
    found = {kind: fields for kind, _, fields in hardware_windows.inventory(recorded("7"))}
    assert found["cpu"] == {
        "name": "Intel(R) Core(TM) i5-2300 CPU @ 2.80GHz",
        "sockets": 1,
        "cores": 4,
        "threads": 4,
    }


def test_a_virtual_windows_7(recorded: Recorded) -> None:
    """System by WMI, disk with its size, drives as the library would tell them."""
    system = recorded("win7-sp1-x64")
    described = system_windows.describe(system)
    assert (described["name"], described["build"]) == ("Windows 7 Professionnel", "7600")
    disks = [fields["model"] for kind, _, fields in hardware_windows.inventory(system) if kind == "disk"]
    assert disks[0] == "VBOX HARDDISK ATA Device"
    assert "C:" in system.usage.disks()
    assert "A:" not in system.usage.disks()
    space = system.usage.space("C:")
    assert space is not None
    assert space.total == space.used + space.available > 10**9
    memory = system.usage.memory()
    assert memory is not None
    assert memory.available == 1_663_820 * 1024


def test_a_laptop_joined_to_azure(recorded: Recorded) -> None:
    """Maker and model, not virtual, and nothing of its users."""
    found = {kind: fields for kind, _, fields in hardware_windows.inventory(recorded("11-AzureAD"))}
    computer = found["computer"]
    assert (computer["manufacturer"], computer["model"], computer["virtual"]) == (
        "LENOVO",
        "20TBS57S00",
        False,
    )
