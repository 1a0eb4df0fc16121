"""Three WMI classes with one PowerShell: starting it costs far more than asking.

Class properties as in "MSFT_NetFirewallProfile class" and "MSFT_NetConnectionProfile class" on Microsoft
Learn; FirewallProduct of SecurityCenter2 is not documented, its ``productState`` is read by the
convention that public tools share. Never run on Windows yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hatang_agent.probes._firewall_verdict import OFF, ON
from hatang_agent.system import CommandMissing, CommandTimeout, System
from hatang_agent.system_windows import WMI_TIMEOUT_S

NETWORK = "root/StandardCimv2"
SECURITY = "root/SecurityCenter2"
CLASSES = (
    (NETWORK, "MSFT_NetFirewallProfile", ("Name", "Enabled")),
    (NETWORK, "MSFT_NetConnectionProfile", ("NetworkCategory", "IPv4Connectivity", "IPv6Connectivity")),
    (SECURITY, "FirewallProduct", ("displayName", "productState")),
)

_ABSENT = ("InvalidNamespace", "InvalidClass", "NotFound")
"""CimException.NativeErrorCode of a class that this Windows does not have, as on a server."""

_PROFILES = ("domain", "private", "public")
_CATEGORIES = {0: "public", 1: "private", 2: "domain"}


@dataclass(frozen=True, slots=True)
class Answers:
    """Objects by class; a class in ``failed`` was asked and did not answer."""

    objects: Mapping[str, Sequence[Mapping[str, Any]]]
    failed: tuple[str, ...] = ()

    def of(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Objects of a class, none when it is absent."""
        return self.objects.get(name, ())


def command() -> list[str]:
    """The PowerShell command that asks for all classes; its output is one JSON object."""
    asked = "".join(
        f"try{{$r['{name}']=@(Get-CimInstance -Namespace '{namespace}' -ClassName '{name}' "
        f"-ErrorAction Stop|Select-Object {','.join(properties)})}}"
        f"catch{{$r['{name}']=[string]$_.Exception.NativeErrorCode}};"
        for namespace, name, properties in CLASSES
    )
    script = (
        f"[Console]::OutputEncoding=[Text.Encoding]::UTF8;$r=@{{}};{asked}"
        "ConvertTo-Json -Compress -Depth 4 -InputObject $r"
    )
    return ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", script]


def ask(system: System) -> Answers:
    """All classes by one PowerShell; by the recorded classes where no such command was recorded."""
    try:
        output = system.run(command(), WMI_TIMEOUT_S)
    except CommandTimeout:
        return Answers({}, tuple(name for _, name, _ in CLASSES))
    except CommandMissing:
        return _one_by_one(system)
    return parse(output.stdout)


def _one_by_one(system: System) -> Answers:
    try:
        return Answers({name: system.wmi(namespace, name, keys) for namespace, name, keys in CLASSES})
    except CommandMissing:
        return Answers({}, tuple(name for _, name, _ in CLASSES))


def parse(text: str) -> Answers:
    """Answers of :func:`command`; a class with another answer than a list of objects has failed."""
    try:
        found = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        found = {}
    objects, failed = {}, []
    for _, name, _ in CLASSES:
        answer = found.get(name)
        if isinstance(answer, list) and all(isinstance(one, dict) for one in answer):
            objects[name] = answer
        elif isinstance(answer, dict):
            objects[name] = [answer]
        elif answer not in _ABSENT:
            failed.append(name)
    return Answers(objects, tuple(failed))


def profiles(answers: Answers) -> dict[str, str]:
    """States of the Windows profiles that are told as on or off (GpoBoolean: 0 no, 1 yes, 2 not set)."""
    words = {"1": ON, "true": ON, "0": OFF, "false": OFF}
    states = {
        str(one.get("Name")).lower(): words.get(str(one.get("Enabled")).lower())
        for one in answers.of("MSFT_NetFirewallProfile")
    }
    return {name: state for name, state in states.items() if name in _PROFILES and state is not None}


def live_networks(answers: Answers) -> list[str]:
    """Kinds of the networks that are connected: ``domain``, ``private``, ``public``, each once."""
    found = []
    for one in answers.of("MSFT_NetConnectionProfile"):
        ways = [one.get(key) for key in ("IPv4Connectivity", "IPv6Connectivity")]
        connected = any(str(way) not in ("0", "Disconnected") for way in ways)
        category = whole(one.get("NetworkCategory"))
        if connected and category in _CATEGORIES:
            found.append(_CATEGORIES[category])
    return sorted(set(found))


@dataclass(frozen=True, slots=True)
class Product:
    """A firewall of another maker; ``state`` is on, off, or None when its number is not known."""

    name: str
    state: str | None
    number: Any


def products(answers: Answers) -> list[Product]:
    """Firewalls that registered with the Security Center, those that are on first."""
    found = []
    for one in answers.of("FirewallProduct"):
        number = whole(one.get("productState"))
        name = str(one.get("displayName") or "")
        if name.lower().startswith(("windows firewall", "windows defender firewall")):
            continue
        bits = None if number is None or number < 0 else (number >> 12) & 0xF
        state = {0: OFF, 1: ON, 2: OFF, 3: OFF}.get(bits) if bits is not None else None
        found.append(Product(name, state, number))
    return sorted(found, key=lambda one: (one.state != ON, one.name))


def whole(value: Any) -> int | None:
    """A whole number, None when it is none."""
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError):
        return None
