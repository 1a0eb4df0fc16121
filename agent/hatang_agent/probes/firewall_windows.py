r"""Firewall of a Windows machine: registry first, PowerShell only when something changed.

Written against "[MS-GPFAS]: Group Policy: Firewall and Advanced Security Data Structure" (EnableFirewall
under the keys of each profile), "[MS-FASP]" (a value of group policy wins over the local one), and
"MpsSvc" as the service that filters. StandardProfile is what Windows shows as private. What device
management (MDM) sets is not read. Never run on Windows yet; tested on exports of real registries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hatang_agent.probes import _firewall_cim
from hatang_agent.probes._firewall_cim import Answers, Product, whole
from hatang_agent.probes._firewall_verdict import OFF, ON, PARTIAL, UNREADABLE, Verdict, of_profiles
from hatang_agent.system import CommandMissing, CommandTimeout, System

LOCAL = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
GROUP = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
SERVICE = r"HKLM\SYSTEM\CurrentControlSet\Services\mpssvc"
NETWORKS = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles"
REGISTERED = r"HKLM\SOFTWARE\Microsoft\Security Center\Provider\Fw"
QUERY = ("sc.exe", "query", "mpssvc")
PRODUCT = "Windows Firewall"

LOOK_AGAIN_MS = 86_400_000
LOOK_AGAIN_AT_OTHERS_MS = 3_600_000
"""Another maker's firewall changes without a trace in the registry that is documented."""

_LOCAL_KEYS = {"domain": "DomainProfile", "private": "StandardProfile", "public": "PublicProfile"}
_GROUP_KEYS = {
    "domain": ("DomainProfile",),
    "private": ("PrivateProfile", "StandardProfile"),
    "public": ("PublicProfile",),
}
_CATEGORIES = {0: "public", 1: "private", 2: "domain"}
_DISABLED = 4  # SERVICE_DISABLED, value Start of a service's key
_QUERY_TIMEOUT_S = 10.0


def look(system: System, memory: dict[str, Any]) -> Verdict:
    """The verdict on this machine; ``memory`` keeps the last full look between runs."""
    group = {name: _group(system, name) for name in _GROUP_KEYS}
    local = {name: (system.registry(f"{LOCAL}\\{key}") or {}) for name, key in _LOCAL_KEYS.items()}
    own = {name: values.get("EnableFirewall") for name, values in local.items()}
    service = _service(system)
    networks = _networks(system)
    seen = (group, own, service, networks, _registered(system))
    answers = _answers(system, memory, repr(seen))
    told = _firewall_cim.profiles(answers)
    profiles = {
        name: _word(group[name]) or _word(own[name]) or _told(own[name], told.get(name)) for name in own
    }
    if service in ("stopped", "disabled"):
        profiles = dict.fromkeys(profiles, OFF)
    evidence = ", ".join(f"{name} EnableFirewall={_raw(value)}" for name, value in own.items())
    policies = ", ".join(f"{name}={value}" for name, value in group.items() if value is not None)
    live, how = _live(system, answers, networks)
    others = _firewall_cim.products(answers)
    parts = (
        evidence,
        f"group policy {policies}" if policies else "",
        f"MpsSvc {service}" if service else "",
        f"WMI {', '.join(f'{name} {state}' for name, state in told.items())}" if told else "",
        f"network {', '.join(live)} ({how})" if live else "",
        *(f"{one.name} productState={one.number}" for one in others),
        f"no answer: {', '.join(answers.failed)}" if answers.failed else "",
    )
    state, product, why = _judge(profiles, service, others, failed="FirewallProduct" in answers.failed)
    return Verdict(
        state,
        product,
        why,
        "; ".join(part for part in parts if part),
        profiles,
        ", ".join(live),
        _together([profiles[name] for name in live]),
    )


def _group(system: System, name: str) -> Any:
    """What group policy says of a profile, None when it says nothing."""
    keys = (system.registry(f"{GROUP}\\{key}") or {} for key in _GROUP_KEYS[name])
    return next((values["EnableFirewall"] for values in keys if "EnableFirewall" in values), None)


def _word(value: Any) -> str | None:
    """On or off for EnableFirewall, None for anything else."""
    return {0: OFF, 1: ON}.get(value) if isinstance(value, int) else None


def _raw(value: Any) -> str:
    """A value as evidence."""
    return "not set" if value is None else str(value)


def _told(own: Any, told: str | None) -> str:
    """WMI's word where the registry has none; a value that is neither 0 nor 1 is not overruled."""
    return told if own is None and told is not None else UNREADABLE


def _service(system: System) -> str:
    """``running``, ``stopped`` or ``disabled``; empty when it is not known."""
    try:
        text = system.run(QUERY, _QUERY_TIMEOUT_S).stdout
    except (CommandMissing, CommandTimeout):
        text = ""
    if found := re.search(r":\s*(?:4\s+RUNNING|1\s+STOPPED)\b", text):
        return "running" if "4" in found[0] else "stopped"
    start = (system.registry(SERVICE) or {}).get("Start")
    return "disabled" if whole(start) == _DISABLED and not text else ""


def _networks(system: System) -> list[tuple[tuple[int, ...], int]]:
    """When each known network was last connected, and its category; the last one first."""
    found = []
    for name in system.registry_keys(NETWORKS):
        values = system.registry(f"{NETWORKS}\\{name}") or {}
        category, connected = whole(values.get("Category")), values.get("DateLastConnected")
        if category is not None and isinstance(connected, bytes) and len(connected) == 16:
            found.append((_moment(connected), category))
    return sorted(found, reverse=True)


def _moment(octets: bytes) -> tuple[int, ...]:
    """A SYSTEMTIME structure without its day of the week, so that moments compare."""
    words = [int.from_bytes(octets[at : at + 2], "little") for at in range(0, 16, 2)]
    return tuple(words[:2] + words[3:])


def _registered(system: System) -> list[tuple[str, str]]:
    return [
        (name, repr(sorted((system.registry(f"{REGISTERED}\\{name}") or {}).items())))
        for name in system.registry_keys(REGISTERED)
    ]


def _answers(system: System, memory: dict[str, Any], seen: str) -> Answers:
    """The last full look, or a new one when what the registry shows has changed."""
    kept = memory.get("look")
    now = system.boot_ms()
    if kept is not None:
        then, what, answers = kept
        age = LOOK_AGAIN_AT_OTHERS_MS if _firewall_cim.products(answers) else LOOK_AGAIN_MS
        if what == seen and now - then < age and not answers.failed:
            return answers if isinstance(answers, Answers) else Answers({})
    answers = _firewall_cim.ask(system)
    memory["look"] = (now, seen, answers)
    return answers


def _live(
    system: System, answers: Answers, networks: list[tuple[tuple[int, ...], int]]
) -> tuple[list[str], str]:
    """Kinds of the networks in use and how that is known.

    Without MSFT_NetConnectionProfile (Windows 7) it is the network that was connected last.
    """
    if found := _firewall_cim.live_networks(answers):
        return found, "connected"
    if answers.of("MSFT_NetConnectionProfile") or not networks or not _connected(system):
        return [], ""
    category = _CATEGORIES.get(networks[0][1])
    return ([category], "connected last") if category else ([], "")


def _connected(system: System) -> bool:
    """Whether any adapter has a link and an address; true when the system does not tell."""
    adapters = [
        one for one in system.usage.interfaces().values() if not any(ip.startswith("127.") for ip in one.ipv4)
    ]
    return not adapters or any(one.up is not False and (one.ipv4 or one.ipv6) for one in adapters)


def _judge(
    profiles: Mapping[str, str], service: str, others: list[Product], *, failed: bool
) -> tuple[str, str, str]:
    """State, product and reason; another maker's firewall that is on filters instead of Windows' own."""
    state, why = of_profiles(profiles)
    if service in ("stopped", "disabled"):
        why = f"the service MpsSvc is {service}"
    if state == ON:
        return state, PRODUCT, why
    own = f"Windows Firewall: {why}"
    if others and others[0].state == ON:
        return ON, others[0].name, own
    if any(one.state is None for one in others):
        return UNREADABLE, others[0].name, f"{own}; the state of {others[0].name} is not known"
    if state == OFF and failed:
        return UNREADABLE, PRODUCT, f"{why}; other firewalls could not be asked for"
    return state, PRODUCT, why


def _together(states: list[str]) -> str:
    """One word for the profiles in use, empty without any."""
    if not states:
        return ""
    if OFF in states:
        return OFF if set(states) == {OFF} else PARTIAL
    return UNREADABLE if UNREADABLE in states else ON
