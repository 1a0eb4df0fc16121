"""Antivirus on Windows: SecurityCenter2, Defender's class, services and file system filters.

A client registers its products in SecurityCenter2. A server has no such namespace ("AntiVirusProduct
class" is for client systems), so there Defender's class, the services of known products and the
drivers of the load order group FSFilter Anti-Virus ("Load order groups and altitudes for minifilter
drivers", Microsoft Learn) are the sources; the last two prove that a product is installed, no more.

Written against the documented classes and registry values and tested on recorded answers; **never
run on a live Windows**. There one PowerShell asks all three classes, and says of each whether it
answered; a recording holds the classes one by one, and one that was not recorded is absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hatang_agent.probes import _antivirus_center as center
from hatang_agent.probes._antivirus_products import (
    DEFENDER,
    NO_ANTIVIRUS_DRIVERS,
    PRODUCTS,
    by_driver,
    by_service,
)
from hatang_agent.probes._antivirus_verdict import Found, Look, key_of, raw, short
from hatang_agent.system import CommandMissing, CommandTimeout, System

SERVICE = ("root/cimv2", "Win32_Service")
SERVICE_PROPERTIES = ("Name", "State")
QUESTIONS: tuple[tuple[str, str, Sequence[str]], ...] = (
    (*center.CENTER, center.CENTER_PROPERTIES),
    (*center.STATUS, center.STATUS_PROPERTIES),
    (*SERVICE, SERVICE_PROPERTIES),
)
TIMEOUT_S = 40.0

SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
VERSION_KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
ALWAYS_THERE = {"eventlog", "rpcss"}
"""Services of every Windows: a list without them is not the list."""
GROUP = "fsfilter anti-virus"
DISABLED = 4
FIRST_WITH_DEFENDER = 9200
"""Build of Windows 8: before it the service WinDefend hunts spyware only."""
TABLE = {product.key: product for product in PRODUCTS}
OLD_RELEASES = ("XP", "Vista", "7", "2003Server", "2008Server", "2008ServerR2")


@dataclass(frozen=True, slots=True)
class Answer:
    """Objects of a class. ``error`` is why there are none: ``absent`` when the class does not exist."""

    objects: Sequence[Mapping[str, Any]] = ()
    error: str = ""


def one_command() -> list[str]:
    """The PowerShell that asks every class at once and tells of each whether it answered."""
    asked = ";".join(
        f"ask '{namespace}' '{name}' @({','.join(map(repr, properties))})"
        for namespace, name, properties in QUESTIONS
    )
    script = (
        "[Console]::OutputEncoding=[Text.Encoding]::UTF8;"
        "function ask($n,$c,$p){try{"
        "$o=@(Get-CimInstance -Namespace $n -ClassName $c -ErrorAction Stop|Select-Object -Property $p);"
        "@{name=$c;objects=$o;error=''}"
        "}catch{@{name=$c;objects=@();error=[string]$_.Exception.NativeErrorCode+'!'}}};"
        f"ConvertTo-Json -Compress -Depth 4 -InputObject @({asked})"
    )
    return ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", script]


def answers(system: System) -> dict[str, Answer]:
    """The three classes by name."""
    try:
        output = system.run(one_command(), TIMEOUT_S)
    except CommandTimeout:
        return {name: Answer(error=f"no answer within {TIMEOUT_S:g} s") for _, name, _ in QUESTIONS}
    except CommandMissing:
        return {question[1]: _recorded(system, *question) for question in QUESTIONS}
    try:
        told = json.loads(output.stdout.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        told = None
    given = {one.get("name"): one for one in told if isinstance(one, dict)} if isinstance(told, list) else {}
    return {name: _answer(given.get(name)) for _, name, _ in QUESTIONS}


def _answer(one: Mapping[str, Any] | None) -> Answer:
    objects = one.get("objects") if one is not None else None
    if isinstance(objects, dict):  # how PowerShell 5 sometimes writes a list
        objects = objects.get("value")
    if one is None or not isinstance(objects, list) or not isinstance(one.get("error"), str):
        return Answer(error="PowerShell's answer cannot be read")
    error = one["error"].rstrip("!")
    if error in ("InvalidNamespace", "InvalidClass"):
        return Answer(error="absent")
    if one["error"] or not all(isinstance(each, dict) for each in objects):
        return Answer(error=f"failed: {raw(error) or 'unknown'}"[:80])
    return Answer(objects)


def _recorded(system: System, namespace: str, name: str, properties: Sequence[str]) -> Answer:
    try:
        objects = system.wmi(namespace, name, properties)
    except CommandMissing:
        return Answer(error="PowerShell is missing")
    except CommandTimeout:
        return Answer(error="no answer in time")
    return Answer(objects) if objects else Answer(error="absent")


@dataclass
class Installed:
    """Services and file system filters that are installed; read from the registry when asked for."""

    system: System
    running: Answer
    states: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.states = {
            str(one.get("Name")): str(one.get("State") or "")
            for one in self.running.objects
            if one.get("Name")
        }

    @cached_property
    def keys(self) -> list[str]:
        """Names of services and drivers in the registry."""
        return self.system.registry_keys(SERVICES)

    @cached_property
    def complete(self) -> bool:
        """Whether the registry's list is the list of this machine."""
        return {name.lower() for name in self.keys} >= ALWAYS_THERE

    @cached_property
    def products(self) -> dict[str, list[str]]:
        """Keys of products with the names of their services."""
        found: dict[str, list[str]] = {}
        for name in dict.fromkeys([*self.states, *self.keys]):
            product = by_service(name)
            if product is not None:
                found.setdefault(product.key, []).append(name)
        return found

    @cached_property
    def filters(self) -> list[str]:
        """Enabled drivers of the group FSFilter Anti-Virus that belong to a product of their own."""
        found = []
        for name in self.keys:
            values = self.system.registry(rf"{SERVICES}\{name}") or {}
            in_group = str(values.get("Group") or "").lower() == GROUP
            if in_group and values.get("Start") != DISABLED and not NO_ANTIVIRUS_DRIVERS.fullmatch(name):
                found.append(name)
        return found

    def stopped(self, names: Sequence[str]) -> bool:
        """Whether every one of these services is known not to run."""
        return bool(names) and all(self.shown(name).lower() in ("stopped", "disabled") for name in names)

    def shown(self, name: str) -> str:
        """State of a service in a word."""
        if self.states.get(name):
            return self.states[name]
        start = (self.system.registry(rf"{SERVICES}\{name}") or {}).get("Start")
        return "disabled" if start == DISABLED else "installed"


def look(system: System) -> Look:
    """Registered products, Defender, and what only its traces tell of."""
    told = answers(system)
    registered, status = told[center.CENTER[1]], told[center.STATUS[1]]
    installed = Installed(system, told[SERVICE[1]])
    found = {one.key: one for one in center.registrations(registered.objects)}
    found = {key: _alive(one, installed) for key, one in found.items()}
    defender = _defender(status, found.get(DEFENDER.key), installed)
    if defender is not None:
        found[DEFENDER.key] = defender
    for one in _traces(installed, found):
        found.setdefault(one.key, one)
    gaps = [
        f"{name}: {answer.error}"
        for name, answer in told.items()
        if answer.error not in ("", "absent") and name != SERVICE[1]
    ]
    if not found and not installed.complete:
        gaps.append("no antivirus class answered and the list of services cannot be read")
    return Look(tuple(found.values()), gaps)


def _alive(one: Found, installed: Installed) -> Found:
    """A registration can outlive its product: without a trace of the product it proves nothing.

    Only for products whose traces are known, and only when the list of services is complete.
    """
    if not one.active or one.key not in TABLE or one.key == DEFENDER.key or not installed.complete:
        return one
    if one.key in installed.products or installed.filters:
        return one
    why = "it is registered as on, but none of its services or drivers is installed"
    return replace(one, active=None, current=None, why=why)


def _defender(status: Answer, registered: Found | None, installed: Installed) -> Found | None:
    """Defender by class and registration, else by its service."""
    names = installed.products.get(DEFENDER.key, [])
    service = installed.shown(names[0]) if names else ""
    now_ms = installed.system.wall_ms()
    found = center.defender(next(iter(status.objects), None), registered, now_ms, service)
    if found is not None or not names or not _defender_is_antivirus(installed.system):
        return found
    stopped = installed.stopped(names)
    return Found(
        DEFENDER.key,
        DEFENDER.name,
        DEFENDER.vendor,
        False if stopped else None,
        why="its service is stopped" if stopped else "known only by its service",
        evidence=f"{names[0]}={service}; MSFT_MpComputerStatus: {status.error or 'empty'}",
    )


def _defender_is_antivirus(system: System) -> bool:
    values = system.registry(VERSION_KEY) or {}
    build = str(values.get("CurrentBuildNumber") or values.get("CurrentBuild") or "")
    if build.isdecimal():
        return int(build) >= FIRST_WITH_DEFENDER
    return system.release not in OLD_RELEASES


def _traces(installed: Installed, found: Mapping[str, Found]) -> list[Found]:
    """Products that are not registered and show only a service or a file system filter."""
    traces = []
    for key, names in installed.products.items():
        if key in found or key == DEFENDER.key:
            continue
        stopped = installed.stopped(names)
        shown = " ".join(f"{name}={installed.shown(name)}" for name in names)
        traces.append(
            Found(
                key,
                TABLE[key].name,
                TABLE[key].vendor,
                False if stopped else None,
                why="its service is stopped" if stopped else "known only by its service",
                evidence=short(shown),
            )
        )
    explained = {*found, *(one.key for one in traces)}
    foreign = [key for key in explained if key != DEFENDER.key and key not in TABLE]
    for name in [] if foreign or _protects(found) else installed.filters:
        product = by_driver(name)
        key = product.key if product else key_of(name)
        if key not in explained:
            explained.add(key)
            title, vendor = (product.name, product.vendor) if product else (name, "")
            shown = f"driver {name} in group FSFilter Anti-Virus"
            traces.append(
                Found(key, title, vendor, why="known only by its file system filter", evidence=shown)
            )
    return traces


def _protects(found: Mapping[str, Found]) -> bool:
    """Something is on: the registry need not be searched for drivers of another product."""
    return any(one.active for one in found.values())
