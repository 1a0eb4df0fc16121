"""Which ways lead out of a machine, from its interfaces and routes as its system tells them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from hatang_agent.net import path as paths_of_sockets
from hatang_agent.net import routes as routing
from hatang_agent.net.path import ANY, NetPath, Tied, tie
from hatang_agent.probes import _paths, _paths_linux, _paths_windows
from hatang_agent.probes._paths import Card, ways
from hatang_agent.system import LocalSystem
from hatang_agent.system_replay import ReplaySystem

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
TABLE = (
    HEAD
    + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"  # default via 192.168.1.1
    + "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"  # 192.168.1.0/24
    + "eth0\t0000000A\tFE01A8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n"  # 10.0.0.0/8 via 192.168.1.254
    + "eth1\t00000000\t0102A8C0\t0003\t0\t0\t50\t00000000\t0\t0\t0\n"  # default via 192.168.2.1
    + "eth1\t00000000\t00000000\t0201\t0\t0\t9\t00000000\t0\t0\t0\n"  # a prohibited way
    + "broken line\n"
)
TABLE6 = (
    "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
    "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
)
ROUTES = [*routing.of_proc(TABLE), *routing.of_proc6(TABLE6)]


def test_linux_tables_are_read() -> None:
    """Gateways, metrics and networks; what is prohibited, local or broken is no route."""
    shown = [(one.device, str(one.network), one.gateway, one.metric) for one in ROUTES]
    assert shown == [
        ("eth0", "0.0.0.0/0", "192.168.1.1", 100),
        ("eth0", "192.168.1.0/24", "", 100),
        ("eth0", "10.0.0.0/8", "192.168.1.254", 0),
        ("eth1", "0.0.0.0/0", "192.168.2.1", 50),
        ("eth0", "2001:db8::/64", "", 256),
        ("eth0", "::/0", "fe80::1", 1024),
    ]


@pytest.mark.parametrize(
    ("device", "address", "hop"),
    [
        ("eth0", "203.0.113.5", "192.168.1.1"),
        ("eth0", "10.1.2.3", "192.168.1.254"),
        ("eth0", "192.168.1.77", ""),
        ("eth1", "10.1.2.3", "192.168.2.1"),
        ("eth0", "2001:db8:1::1", "fe80::1"),
        ("eth1", "2001:db8:1::1", ""),
        ("eth2", "203.0.113.5", ""),
    ],
)
def test_the_next_hop_is_that_of_the_longest_prefix(device: str, address: str, hop: str) -> None:
    """Of an interface's own routes only."""
    assert routing.next_hop(ROUTES, device, address) == hop


def test_an_interface_with_two_gateways_is_two_paths() -> None:
    """Each with the address beside its gateway; where the routes go elsewhere, straight to it."""
    card = Card("eth0", True, True, ("192.168.1.5", "172.16.0.5"))
    found = ways([card], ROUTES)
    assert [path.name for path in found.paths] == ["eth0 via 192.168.1.1", "eth0 via 192.168.1.254"]
    assert {path.ipv4 for path in found.paths} == {"192.168.1.5"}
    first, second = found.paths
    assert [found.toward(path, "10.1.2.3").straight for path in (first, second)] == [True, False]
    assert [found.toward(path, "203.0.113.5").straight for path in (first, second)] == [False, True]
    assert [found.toward(path, "192.168.1.9").straight for path in (first, second)] == [False, False]


def test_ipv6_never_answers_for_one_of_two_gateways() -> None:
    """It is a path of its own then; with one gateway both kinds leave by the one path."""
    card = Card("eth0", True, True, ("192.168.1.5",), ("2001:db8::5",))
    several = ways([card], ROUTES).paths
    assert [path.name for path in several] == ["eth0 via 192.168.1.1", "eth0 via 192.168.1.254", "eth0 ipv6"]
    assert [path.carries("2001:db8:1::1") for path in several] == [False, False, True]
    assert [path.carries("203.0.113.5") for path in several] == [True, True, False]
    (one,) = ways([Card("eth1", True, True, ("192.168.2.5",), ("2001:db8::5",))], ROUTES).paths
    assert (one.name, one.gateway, one.carries("::1"), one.carries("1.1.1.1")) == (
        "eth1",
        "192.168.2.1",
        True,
        True,
    )


def test_dead_cards_are_told_and_not_left_out() -> None:
    """No link and no address are reasons; a card that nobody knows to be down is tried."""
    cards = [
        Card("eth1", True, False),
        Card("eth2", True, True),
        Card("eth3", True, None, ("192.168.3.5",)),
    ]
    found = {path.name: path.unusable for path in ways(cards, ROUTES).paths}
    assert found == {"eth1": "no link", "eth2": "no address", "eth3": ""}


@pytest.mark.parametrize(
    ("card", "leads"),
    [
        (Card("eth1", False, True, ("192.168.2.5",)), True),
        (Card("docker0", False, True, ("172.17.0.1",)), False),
        (Card("tun0", False, True, ("10.8.0.2",), tunnel=True), True),
        (Card("tun1", False, True, ("10.9.0.2",), tunnel=True), False),
    ],
)
def test_virtual_interfaces_count_where_they_lead_somewhere(card: Card, leads: bool) -> None:
    """By a gateway, or as a tunnel with routes."""
    routes = [
        *ROUTES,
        *routing.of_proc(HEAD + "tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"),
    ]
    assert bool(ways([card], routes).paths) is leads


def test_a_machine_with_many_cards_is_bounded() -> None:
    """Physical ones first."""
    cards = [Card(f"v{number}", False, True, ("10.0.0.5",)) for number in range(9)]
    routes = routing.of_proc(
        HEAD + "".join(f"v{n}\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" for n in range(9))
    )
    found = ways([*cards, Card("eth0", True, True, ("10.0.0.6",))], routes).paths
    assert len(found) == _paths.MAX_PATHS
    assert found[0].name == "eth0"


def test_addresses_that_an_interface_made_up_do_not_count() -> None:
    """Neither those of this machine alone nor those of a card without DHCP."""
    assert _paths.lasting(["169.254.3.4", "fe80::1", "127.0.0.1", "10.0.0.1", ""]) == ("10.0.0.1",)


CASES = Path(__file__).parents[1] / "agent_measure/cases"


def test_a_recorded_linux_machine() -> None:
    """Its cable with a gateway, its Wi-Fi without a link, no container bridge."""
    found = _paths.read(ReplaySystem(CASES / "dell-desktop-debian-12"), {})
    shown = [(path.name, path.gateway, path.ipv4, path.ipv6, path.unusable) for path in found.paths]
    assert shown[0][:3] == ("enp0s31f6", "192.168.1.1", "192.168.1.24")
    assert shown[0][3:] == ("2001:db8:0:1:a00:2bff:fe2b:3c4d", "")
    assert shown[1] == ("wlp2s0", "", "", "", "no link")
    assert len(shown) == 2


def test_a_recorded_windows_machine() -> None:
    """The card with its index and gateway; the tunnel adapter that is not connected is no path."""
    found = _paths.read(ReplaySystem(CASES / "old-windows-10-pc"), {})
    assert [(path.name, path.ipv4, path.unusable) for path in found.paths] == [("Ethernet", "10.64.3.21", "")]


def windows(tmp_path: Path, **classes: list[dict[str, Any]]) -> ReplaySystem:
    """A recorded Windows machine with these classes."""
    (tmp_path / "meta.json").write_text(json.dumps({"platform": "windows", "now": "2026-11-20T08:00:00Z"}))
    for name, rows in classes.items():
        folder = "StandardCimv2" if name.startswith("MSFT") else "cimv2"
        path = tmp_path / "wmi/root" / folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows))
    return ReplaySystem(tmp_path)


def adapter(index: int, name: str | None, pnp: str = "PCI\\VEN_8086", status: int = 2) -> dict[str, Any]:
    """One row of Win32_NetworkAdapter."""
    return {
        "Index": index,
        "InterfaceIndex": index + 10,
        "GUID": f"{{{index}}}",
        "NetConnectionID": name,
        "NetConnectionStatus": status,
        "PhysicalAdapter": True,
        "PNPDeviceID": pnp,
    }


def route(destination: str, mask: str, hop: str, index: int, metric: int = 10) -> dict[str, Any]:
    """One row of Win32_IP4RouteTable."""
    return {
        "Destination": destination,
        "Mask": mask,
        "NextHop": hop,
        "InterfaceIndex": index,
        "Metric1": metric,
    }


def test_windows_routes_and_dialled_lines(tmp_path: Path) -> None:
    """Two gateways on one card are two paths; a dialled line is one; Bluetooth and virtual ones are none."""
    system = windows(
        tmp_path,
        Win32_NetworkAdapter=[
            adapter(1, "Ethernet"),
            adapter(2, "Wi-Fi", status=7),
            adapter(3, "Bluetooth Network Connection", "BTH\\MS_BTHPAN"),
            adapter(4, "vEthernet (Default Switch)", "ROOT\\VMS_MP"),
            adapter(5, None),
        ],
        Win32_NetworkAdapterConfiguration=[
            {
                "Index": 1,
                "InterfaceIndex": 11,
                "IPAddress": ["192.168.1.5", "fe80::5"],
                "DNSServerSearchOrder": ["192.168.1.1", "203.0.113.53"],
            },
            {"Index": 4, "InterfaceIndex": 14, "IPAddress": ["172.24.0.1"]},
            {"Index": 9, "InterfaceIndex": 19, "IPAddress": ["113.160.0.9"], "Description": "VNPT"},
            {"Index": 8, "InterfaceIndex": 18, "IPAddress": None, "Description": "WAN Miniport (IP)"},
        ],
        Win32_IP4RouteTable=[
            route("0.0.0.0", "0.0.0.0", "192.168.1.1", 11, 25),
            route("10.0.0.0", "255.0.0.0", "192.168.1.254", 11),
            route("192.168.1.0", "255.255.255.0", "0.0.0.0", 11),
            route("192.168.1.0", "255.255.255.0", "192.168.1.5", 11),
            route("127.0.0.0", "255.0.0.0", "127.0.0.1", 1),
            route("0.0.0.0", "0.0.0.0", "0.0.0.0", 19, 5),
            route("172.24.0.0", "255.255.0.0", "0.0.0.0", 14),
            route("bad", "255.0.0.0", "0.0.0.0", 11),
        ],
    )
    memory: dict[str, Any] = {}
    found = _paths.read(system, memory)
    shown = [(path.name, path.index, path.ipv4, path.unusable) for path in found.paths]
    assert shown == [
        ("Ethernet via 192.168.1.1", 11, "192.168.1.5", ""),
        ("Ethernet via 192.168.1.254", 11, "192.168.1.5", ""),
        ("Wi-Fi", 12, "", "no link"),
        ("VNPT", 19, "113.160.0.9", ""),
    ]
    assert found.toward(found.paths[1], "10.5.0.1").straight is False
    assert found.servers["Ethernet"] == ("192.168.1.1", "203.0.113.53")
    (tmp_path / "wmi/root/cimv2/Win32_IP4RouteTable.json").write_text("[]")
    assert _paths.read(system, memory) == found, "asked again only when something changes or after hours"
    memory["windows paths"] = (-_paths_windows.AGAIN_MS - 1, *memory["windows paths"][1:])
    assert [path.name for path in _paths.read(system, memory).paths][:2] == ["Ethernet", "Wi-Fi"]


def test_name_servers_behind_a_helper(tmp_path: Path) -> None:
    """systemd-resolved tells the true ones in a file of its own."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "run/systemd/resolve").mkdir(parents=True)
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.53\n")
    system = LocalSystem(tmp_path)
    assert _paths_linux.name_servers(system) == ()
    (tmp_path / "run/systemd/resolve/resolv.conf").write_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    assert _paths_linux.name_servers(system) == ("192.0.2.1", "192.0.2.2")
    (tmp_path / "etc/resolv.conf").write_text("nameserver 192.0.2.9\n")
    assert _paths_linux.name_servers(system) == ("192.0.2.9",)


def test_a_socket_says_how_firmly_it_is_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the interface, else to the address alone, else not at all."""
    path = NetPath("lo", "lo", ipv4="127.0.0.1")

    def tied(one: NetPath) -> Tied:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            found = tie(sock, one)
            assert sock.getsockname()[0] == (one.ipv4 or "0.0.0.0")
            return found

    assert [tied(path), tied(ANY)] == [Tied.DEVICE, Tied.NOTHING]
    monkeypatch.setattr(paths_of_sockets, "_to_device", lambda *_: False)
    assert [tied(path), tied(NetPath("lo", "lo"))] == [Tied.SOURCE, Tied.NOTHING]
    with socket.socket(socket.AF_INET) as sock, pytest.raises(OSError, match="assign"):
        tie(sock, NetPath("x", ipv4="192.0.2.1"))


def test_a_refused_right_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems that do not let us tie a socket are told apart from interfaces that are gone."""

    class Denying(socket.socket):
        error: OSError = PermissionError(1, "no")

        def setsockopt(self, *_: object) -> None:
            raise self.error

    with Denying(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert tie(sock, NetPath("lo", "lo", ipv4="127.0.0.1")) is Tied.SOURCE
    monkeypatch.setattr(Denying, "error", OSError(19, "No such device"))
    with Denying(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="No such device"):
        tie(sock, NetPath("lo", "lo"))
