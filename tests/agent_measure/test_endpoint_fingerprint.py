"""The fingerprint is the machine's: no dock, VPN, name or random address changes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatang_agent.probes import hardware
from support.endpoint_data import Recording

UUID = "4C4C4544-0042-3510-8051-B7C04F573233"
NET = "/sys/class/net"


def card(recording: Recording, name: str, mac: str, bus: str, **files: str) -> None:
    """A network card on a bus; its folder is a link, as the kernel has it."""
    place = f"/sys/devices/{bus}/net/{name}"
    content = {"address": mac, "addr_assign_type": "0", "type": "1", "uevent": "", "device/vendor": "0x8086"}
    for file, text in {**content, **files}.items():
        recording.file(f"{place}/{file}", text + "\n")
    recording.link(f"{NET}/{name}", f"../../{place.removeprefix('/sys/')}")


def laptop(folder: Path, name: str = "enp0s31f6", **meta: str) -> Recording:
    """A laptop with one wired card and one NVMe disk."""
    recording = Recording(folder, "linux", **meta)
    for file, text in {
        "product_uuid": UUID,
        "board_serial": "/B5QW23A/CN/",
        "product_serial": "B5QW23A",
    }.items():
        recording.file(f"/sys/class/dmi/id/{file}", text + "\n")
    for file, text in {"size": "500118192", "device/serial": "S660NX0R123456", "removable": "0"}.items():
        recording.file(f"/sys/block/nvme0n1/{file}", text + "\n")
    card(recording, name, "a4:bb:6d:12:34:56", "pci0000:00/0000:00:1f.6")
    return recording


def prints(recording: Recording) -> set[str]:
    """Values, whatever their names: the collector compares these."""
    return set(hardware.fingerprint(recording.system()).values())


def test_a_laptop_stays_itself(tmp_path: Path) -> None:
    """Dock, USB card, VPN, containers, Wi-Fi with a random address, another name and host name."""
    plain = laptop(tmp_path / "plain", host_name="UBND-01")
    moved = laptop(tmp_path / "moved", name="lan0", host_name="KE-TOAN")
    card(moved, "enx0050b6123456", "00:50:b6:12:34:56", "pci0000:00/0000:00:14.0/usb2/2-1")
    card(
        moved, "enp10s0", "64:4b:f0:12:34:56", "pci0000:00/0000:07:00.0", **{"device/removable": "removable"}
    )
    card(
        moved,
        "wlp2s0",
        "3e:11:22:33:44:55",
        "pci0000:00/0000:00:02.0",
        addr_assign_type="3",
        uevent="DEVTYPE=wlan",
    )
    card(moved, "eth7", "0a:11:22:33:44:55", "pci0000:00/0000:00:03.0")
    moved.file(f"{NET}/tun0/address", "00:ff:aa:bb:cc:dd\n").file(f"{NET}/tun0/type", "1\n")
    moved.file("/sys/block/sdb/size", "100\n").file("/sys/block/sdb/removable", "1\n")
    moved.file("/sys/block/nvme1n1/size", "100\n").file(
        "/sys/block/nvme1n1/device/device/removable", "removable\n"
    )
    moved.file("/sys/block/nvme1n1/device/serial", "EXTERNAL1\n")
    assert prints(plain) == prints(moved)
    assert len(prints(plain)) == 5


def test_another_card_changes_one_value_only(tmp_path: Path) -> None:
    """A new built-in card leaves four of five values: enough to be recognised."""
    other = laptop(tmp_path / "other")
    (other.folder / "files/sys/devices/pci0000:00/0000:00:1f.6/net/enp0s31f6/address").write_text(
        "a4:bb:6d:99:99:99\n"
    )
    assert len(prints(other) & prints(laptop(tmp_path / "plain"))) == 4


def test_without_the_right_to_read_dmi_dmidecode_is_asked(tmp_path: Path) -> None:
    """Serials come from dmidecode where /sys gives none; a virtual machine's UUID does not count twice."""
    text = (
        "# dmidecode 3.4\nSMBIOS 2.4 present.\n\nHandle 0x0001, DMI type 1, 27 bytes\nSystem Information\n"
        "\tManufacturer: VMware, Inc.\n"
        "\tSerial Number: VMware-56 4d 8c 11 22 33 44 55-66 77 88 99 aa bb cc dd\n"
        "\tUUID: 564D8C11-2233-4455-6677-8899AABBCCDD\n"
    )
    recording = Recording(tmp_path, "linux").command(["dmidecode"], text)
    assert hardware.fingerprint(recording.system()) == {"smbios_uuid": "118c4d56-3322-5544-6677-8899aabbccdd"}


ADAPTER: dict[str, Any] = {
    "Name": "Ethernet",
    "InterfaceGuid": "{1}",
    "PermanentAddress": "A4BB6D123456",
    "HardwareInterface": True,
    "Virtual": False,
    "NdisPhysicalMedium": 14,
    "InterfaceType": 6,
    "PnPDeviceID": "PCI\\VEN_8086&DEV_15D8\\3",
}


def windows(folder: Path, *more: dict[str, Any], **system: Any) -> Recording:
    """The same laptop under Windows, with further adapters."""
    disk = {"Index": 0, "SerialNumber": "S660NX0R123456", "InterfaceType": "SCSI", "MediaType": "Fixed"}
    return (
        Recording(folder, "windows", **system)
        .wmi("Win32_ComputerSystemProduct", [{"UUID": UUID}])
        .wmi("Win32_BIOS", [{"SerialNumber": "B5QW23A"}])
        .wmi("Win32_BaseBoard", [{"SerialNumber": "/B5QW23A/CN/"}])
        .wmi("Win32_DiskDrive", [disk])
        .wmi("MSFT_NetAdapter", [ADAPTER, *({**ADAPTER, **one} for one in more)])
    )


def test_windows_and_linux_agree_on_one_machine(tmp_path: Path) -> None:
    """Installing the other system, docks, VPNs and virtual switches leave the values alone."""
    other = windows(
        tmp_path / "windows",
        {"Name": "Dock", "PermanentAddress": "0050B6123456", "PnPDeviceID": "USB\\VID_0BDA"},
        {"Name": "VPN", "PermanentAddress": "00FFAABBCCDD", "HardwareInterface": False, "Virtual": True},
        {"Name": "Wi-Fi", "PermanentAddress": "8C8D28AABBCC", "NdisPhysicalMedium": 9},
        {"Name": "Random", "PermanentAddress": "0A1122334455"},
        host_name="MAY-01",
    )
    assert prints(other) == prints(laptop(tmp_path / "linux"))


@pytest.mark.parametrize(
    "serial", ["To be filled by O.E.M.", "System Serial Number", "Default string", "0", "123456789", ""]
)
def test_a_placeholder_is_no_serial(tmp_path: Path, serial: str) -> None:
    """What thousands of machines have in common is left out."""
    found = windows(tmp_path).wmi("Win32_BIOS", [{"SerialNumber": serial}])
    assert "system_serial" not in hardware.fingerprint(found.system())
