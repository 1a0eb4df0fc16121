"""The Windows variants on answers that real machines gave to WMI (exports of other inventories)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hatang_agent.probes import hardware_windows, interfaces_windows, system_windows
from hatang_agent.probes._nic import Nic, primary
from hatang_agent.system_replay import ReplaySystem
from support.endpoint_data import expected, windows_machine

Recorded = Callable[..., ReplaySystem]
TODAY = "2026-11-20"


@pytest.fixture
def recorded(tmp_path: Path, field_data: Path) -> Recorded:
    """Lays the exports of one machine out as a recording."""
    return lambda machine: windows_machine(field_data / "endpoint", machine, tmp_path).system()


def by_description(system: ReplaySystem) -> dict[str, Nic]:
    """Adapters of a recording."""
    return {nic.description: nic for nic in interfaces_windows.describe(system)}


@pytest.mark.parametrize(("machine", "key"), [("7", "physical"), ("vpn-up", "adapters")])
def test_adapters_of_real_machines(recorded: Recorded, field_data: Path, machine: str, key: str) -> None:
    """Link, address, gateway, kind and whether it is virtual, as somebody checked by hand."""
    found = by_description(recorded(machine))
    for adapter in expected(field_data / "endpoint", f"windows nics {machine}")[key]:
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
    chosen = primary(interfaces_windows.describe(recorded("vpn-up")))
    assert chosen is not None
    assert (chosen.name, chosen.office_ipv4) == ("Wi-Fi", "192.168.0.254")


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
    described = system_windows.describe(system, TODAY)
    assert (described["name"], described["build"]) == ("Windows 7 Professionnel", "7600")
    assert (described["edition"], described["supported"]) == ("Professional", "no")
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
