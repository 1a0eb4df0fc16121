"""The Windows reader: what wins over what, how often PowerShell starts, and what stays unreadable.

Answers have the documented shapes; none of it was run on Windows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.probes import _firewall_cim, firewall_windows
from hatang_agent.probes._firewall_verdict import Verdict
from hatang_agent.probes.firewall_windows import GROUP, LOCAL, NETWORKS, REGISTERED, SERVICE
from hatang_agent.system import CommandMissing, CommandTimeout, Interface, Output, System

RUNNING = "        TYPE   : 20  WIN32_SHARE_PROCESS\n        STATE  : 4  RUNNING\n"
LAST = bytes.fromhex("e1070300030008000e00040002001b02")
EARLIER = bytes.fromhex("e00706000100140000000f0034003800")


class Pc:
    """A Windows machine of these registry values that counts its PowerShells."""

    platform = "windows"

    def __init__(
        self,
        domain: Any = 1,
        private: Any = 1,
        public: Any = 1,
        *,
        classes: Mapping[str, Any] | str | None = None,
        service: str | None = RUNNING,
        **more: Mapping[str, Any],
    ) -> None:
        values = {"DomainProfile": domain, "StandardProfile": private, "PublicProfile": public}
        self.keys: dict[str, Mapping[str, Any]] = {
            f"{LOCAL}\\{key}": {} if value is None else {"EnableFirewall": value}
            for key, value in values.items()
        }
        self.keys |= {f"{GROUP}\\{key}": fields for key, fields in more.items()}
        self.classes = classes
        self.service = service
        self.now_ms = 0
        self.powershells = 0
        self.adapters: dict[str, Interface] = {}
        self.usage = SimpleNamespace(interfaces=lambda: self.adapters)

    def registry(self, key: str) -> Mapping[str, Any] | None:
        return self.keys.get(key)

    def registry_keys(self, key: str) -> list[str]:
        return sorted(name[len(key) + 1 :] for name in self.keys if name.startswith(f"{key}\\"))

    def boot_ms(self) -> int:
        return self.now_ms

    def wmi(self, namespace: str, name: str, properties: Sequence[str]) -> list[Mapping[str, Any]]:
        raise CommandMissing([namespace, name, *properties])

    def run(self, argv: Sequence[str], timeout_s: float) -> Output:
        if argv[0] == "sc.exe":
            if self.service is None:
                raise CommandMissing(argv)
            return Output(self.service, "", 0)
        self.powershells += 1
        if self.classes == "too slow":
            raise CommandTimeout(argv, timeout_s)
        text = self.classes if isinstance(self.classes, str) else json.dumps(self.classes or {})
        return Output(text, "", 0)


def answers(
    connections: Sequence[tuple[int, int]] = (), products: Sequence[tuple[str, Any]] = (), enabled: Any = ()
) -> dict[str, Any]:
    """What the one PowerShell prints."""
    names = ("Domain", "Private", "Public")
    return {
        "MSFT_NetFirewallProfile": [
            {"Name": name, "Enabled": value} for name, value in zip(names, enabled, strict=False)
        ],
        "MSFT_NetConnectionProfile": [
            {"NetworkCategory": kind, "IPv4Connectivity": way, "IPv6Connectivity": 0}
            for kind, way in connections
        ],
        "FirewallProduct": [{"displayName": name, "productState": number} for name, number in products],
    }


def fresh() -> dict[str, Any]:
    """The memory of a probe that has not run yet."""
    return {}


def look(pc: Pc, memory: dict[str, Any] | None = None) -> Verdict:
    """One run."""
    return firewall_windows.look(cast(System, pc), {} if memory is None else memory)


@pytest.mark.parametrize(
    ("values", "state", "why"),
    [
        ((1, 1, 1), "on", ""),
        ((0, 0, 0), "off", "off: domain, private, public"),
        ((1, 0, 1), "partial", "off: private"),
        ((0, 0, 1), "partial", "off: domain, private"),
        ((1, None, 1), "unreadable", "unreadable: private"),
        ((0, 0, None), "unreadable", "off: domain, private; unreadable: public"),
        ((1, 0, None), "partial", "off: private; unreadable: public"),
        ((1, 7, 1), "unreadable", "unreadable: private"),
        ((1, "0", 1), "unreadable", "unreadable: private"),
    ],
)
def test_profiles(values: tuple[Any, Any, Any], state: str, why: str) -> None:
    """One word for three, and which of them is off."""
    found = look(Pc(*values, classes=answers()))
    assert (found.state, found.why) == (state, why)


def test_group_policy_wins() -> None:
    """Over the local value, both ways; the old name of the private profile counts where the new is absent."""
    pc = Pc(
        1, 0, 1, classes=answers(), DomainProfile={"EnableFirewall": 0}, PrivateProfile={"EnableFirewall": 1}
    )
    assert look(pc).profiles == {"domain": "off", "private": "on", "public": "on"}
    pc = Pc(1, 0, 1, classes=answers(), StandardProfile={"EnableFirewall": 1}, PublicProfile={"Other": 0})
    assert look(pc).state == "on"


def test_wmi_fills_what_the_registry_does_not_tell() -> None:
    """Numbers and words; "not configured" tells nothing; a value in the registry is not overruled."""
    found = look(Pc(None, None, None, classes=answers(enabled=(1, "False", 2))))
    assert found.profiles == {"domain": "on", "private": "off", "public": "unreadable"}
    assert look(Pc(7, 1, 1, classes=answers(enabled=(1, 1, 1)))).profiles["domain"] == "unreadable"


@pytest.mark.parametrize(
    ("service", "start", "state", "why"),
    [
        (RUNNING, 4, "on", ""),
        (RUNNING.replace("4  RUNNING", "1  STOPPED"), 2, "off", "the service MpsSvc is stopped"),
        (None, 4, "off", "the service MpsSvc is disabled"),
        (None, 2, "on", ""),
        ("        ESTADO : 1  STOPPED\n", 2, "off", "the service MpsSvc is stopped"),
        ("[SC] OpenService FAILED 1060\n", 4, "on", ""),
    ],
)
def test_the_service_must_run(service: str | None, start: int, state: str, why: str) -> None:
    """Values in the registry filter nothing by themselves."""
    pc = Pc(classes=answers(), service=service)
    pc.keys[SERVICE] = {"Start": start}
    found = look(pc)
    assert (found.state, found.why) == (state, why)


@pytest.mark.parametrize(
    ("connections", "active", "state"),
    [
        ([(0, 4)], "public", "off"),
        ([(2, 4)], "domain", "on"),
        ([(2, 4), (0, 4)], "domain, public", "partial"),
        ([(2, 4), (0, 0)], "domain", "on"),
        ([(9, 4)], "", ""),
        ([], "", ""),
    ],
)
def test_the_network_in_use(connections: list[tuple[int, int]], active: str, state: str) -> None:
    """Only connected ones; the state of their profiles."""
    found = look(Pc(1, 1, 0, classes=answers(connections)))
    assert (found.active_profile, found.active_state) == (active, state)


def test_without_that_class_the_last_connected_network_counts() -> None:
    """As on Windows 7; not when no adapter has a link, and not without a moment that can be read."""
    pc = Pc(0, 1, 1, classes={})
    pc.keys[f"{NETWORKS}\\{{A}}"] = {"Category": 2, "DateLastConnected": LAST}
    pc.keys[f"{NETWORKS}\\{{B}}"] = {"Category": 0, "DateLastConnected": EARLIER}
    pc.keys[f"{NETWORKS}\\{{C}}"] = {"Category": 1, "DateLastConnected": b"\xff"}
    assert (look(pc).active_profile, look(pc).active_state) == ("domain", "off")
    pc.adapters = {"lo": Interface(ipv4=("127.0.0.1",), up=True), "eth": Interface(up=False)}
    assert look(pc).active_profile == ""
    pc.adapters["wifi"] = Interface(ipv4=("10.0.0.7",), up=True)
    assert look(pc).active_profile == "domain"


@pytest.mark.parametrize(
    ("number", "state", "product"),
    [
        (266240, "on", "Other"),
        (0x61100, "on", "Other"),
        (262144, "off", "Windows Firewall"),
        (0x62000, "off", "Windows Firewall"),
        (0x67000, "unreadable", "Other"),
        (None, "unreadable", "Other"),
        ("?", "unreadable", "Other"),
    ],
)
def test_another_makers_firewall(number: Any, state: str, product: str) -> None:
    """On it filters instead of Windows' own; an unknown number is not "off"."""
    found = look(Pc(0, 0, 0, classes=answers(products=[("Other", number)])))
    assert (found.state, found.product) == (state, product)
    assert set(found.profiles.values()) == {"off"}
    assert look(Pc(classes=answers(products=[("Other", number)]))).product == "Windows Firewall"


@pytest.mark.parametrize(
    "classes",
    [
        "too slow",
        "not JSON",
        "[]",
        {"FirewallProduct": "AccessDenied"},
        {"FirewallProduct": [1]},
    ],
)
def test_products_that_could_not_be_asked_for(classes: Any) -> None:
    """All profiles off, and nobody knows whether something else filters: unreadable, profiles told."""
    found = look(Pc(0, 0, 0, classes=classes))
    assert found.state == "unreadable"
    assert found.profiles["public"] == "off"
    assert look(Pc(classes=classes)).state == "on"


def test_a_server_has_no_security_center() -> None:
    """A namespace that this Windows does not have is an answer."""
    assert look(Pc(0, 0, 0, classes={**answers(), "FirewallProduct": "InvalidNamespace"})).state == "off"


def test_powershell_starts_only_when_something_changed() -> None:
    """Once at first; again when a value, a policy, the service, a network or a registration changes."""
    pc = Pc(classes=answers([(1, 4)]))
    memory: dict[str, Any] = {}
    for _ in range(3):
        look(pc, memory)
    assert pc.powershells == 1
    changes: list[dict[str, Mapping[str, Any]]] = [
        {f"{LOCAL}\\PublicProfile": {"EnableFirewall": 0}},
        {f"{GROUP}\\PublicProfile": {"EnableFirewall": 1}},
        {f"{NETWORKS}\\{{A}}": {"Category": 0, "DateLastConnected": LAST}},
        {f"{REGISTERED}\\{{B}}": {"STATE": 266240}},
    ]
    for number, change in enumerate(changes, start=2):
        pc.keys |= change
        look(pc, memory)
        look(pc, memory)
        assert pc.powershells == number
    pc.service = RUNNING.replace("4  RUNNING", "1  STOPPED")
    assert look(pc, memory).state == "off"
    assert pc.powershells == len(changes) + 2


def test_a_change_in_the_registry_is_seen_at_once() -> None:
    """The verdict never waits for PowerShell."""
    pc = Pc(classes=answers())
    memory: dict[str, Any] = {}
    assert look(pc, memory).state == "on"
    pc.keys[f"{LOCAL}\\PublicProfile"] = {"EnableFirewall": 0}
    assert look(pc, memory).state == "partial"


def test_how_long_a_look_lasts() -> None:
    """A day; an hour beside another maker's firewall; a failed look is no look."""
    for products, lasts_ms in (([], 86_400_000), ([("Other", 266240)], 3_600_000)):
        pc, memory = Pc(classes=answers(products=products)), fresh()
        for pc.now_ms, expected in ((0, 1), (lasts_ms - 1, 1), (lasts_ms, 2)):
            look(pc, memory)
            assert pc.powershells == expected
    pc, memory = Pc(classes="too slow"), fresh()
    look(pc, memory)
    look(pc, memory)
    assert pc.powershells == 2


def test_the_one_command() -> None:
    """All classes in one script; a single object and a byte order mark are understood."""
    script = _firewall_cim.command()[-1]
    assert all(f"'{name}'" in script for _, name, _ in _firewall_cim.CLASSES)
    found = _firewall_cim.parse('\ufeff{"FirewallProduct":{"displayName":"A","productState":1}}')
    assert found.of("FirewallProduct") == [{"displayName": "A", "productState": 1}]
    assert set(found.failed) == {"MSFT_NetFirewallProfile", "MSFT_NetConnectionProfile"}


@given(st.lists(st.one_of(st.integers(), st.text(), st.binary(), st.none()), min_size=3, max_size=3))
def test_strange_values_are_never_off(values: list[Any]) -> None:
    """Only zero is off."""
    found = look(Pc(*values, classes=answers()))
    for value, state in zip(values, found.profiles.values(), strict=True):
        assert (state == "off") == (value == 0 and isinstance(value, int))
    assert (found.state == "off") == all(value == 0 for value in values)
