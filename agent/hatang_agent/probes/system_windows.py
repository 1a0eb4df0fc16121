"""The operating system of a Windows machine, from the registry, else from WMI, else from ``systeminfo``.

Written against the pages "Win32_OperatingSystem class" and "GetProductInfo function" and the values of
the CurrentVersion key; run on recordings only, never on Windows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hatang_agent.probes import _support
from hatang_agent.system import System

VERSION_KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
FIRST_BUILD_OF_11 = 22_000
"""Windows 11 still calls itself "Windows 10" in the registry; its build number tells."""

_WORKSTATION = 1  # Win32_OperatingSystem.ProductType
_SKUS = {
    1: "Ultimate",
    2: "HomeBasic",
    3: "HomePremium",
    4: "Enterprise",
    6: "Business",
    7: "ServerStandard",
    8: "ServerDatacenter",
    10: "ServerEnterprise",
    11: "Starter",
    12: "ServerDatacenterCore",
    13: "ServerStandardCore",
    27: "EnterpriseN",
    48: "Professional",
    49: "ProfessionalN",
    98: "CoreN",
    99: "CoreCountrySpecific",
    100: "CoreSingleLanguage",
    101: "Core",
    121: "Education",
    122: "EducationN",
    125: "EnterpriseS",
    126: "EnterpriseSN",
    145: "ServerDatacenterACor",
    146: "ServerStandardACor",
    161: "ProfessionalWorkstation",
    164: "ProfessionalEducation",
    175: "ServerRdsh",
    188: "IoTEnterprise",
    191: "IoTEnterpriseS",
}
"""OperatingSystemSKU by the name that EditionID has in the registry."""

_WORDS = (
    (r"IoT Enterprise.*\bLTSC\b", "IoTEnterpriseS"),
    (r"IoT Enterprise", "IoTEnterprise"),
    (r"Enterprise.*\bLTS[BC]\b", "EnterpriseS"),
    (r"Pro(?:fessional)? Education", "ProfessionalEducation"),
    (r"Pro(?:fessional)? for Workstations", "ProfessionalWorkstation"),
    (r"Server.*\bDatacenter$", "ServerDatacenter"),
    (r"Server.*\bStandard$", "ServerStandard"),
    (r"Enterprise$", "Enterprise"),
    (r"Education$", "Education"),
    (r"Ultimate$", "Ultimate"),
    (r"Home Basic$", "HomeBasic"),
    (r"Home Premium$", "HomePremium"),
    (r"Pro(?:fessional)?$", "Professional"),
    (r"Home$", "Core"),
)
"""English names of products, for what tells no edition number."""


def describe(system: System, today: str) -> Mapping[str, Any]:
    """Fields of the fact ``os``; empty when nothing is known. ``today`` is an ISO day."""
    values = system.registry(VERSION_KEY) or {}
    if values.get("ProductName"):
        return _from_registry(system, values, today)
    properties = ["Caption", "Version", "BuildNumber", "OSArchitecture", "ProductType", "OperatingSystemSKU"]
    for found in system.wmi("root/cimv2", "Win32_OperatingSystem", properties):
        return _from_wmi(found, today)
    return _from_systeminfo(system, today)


def _from_registry(system: System, values: Mapping[str, Any], today: str) -> Mapping[str, Any]:
    name = str(values["ProductName"])
    build = str(values.get("CurrentBuildNumber") or values.get("CurrentBuild") or "")
    if build.isdigit() and int(build) >= FIRST_BUILD_OF_11:
        name = name.replace("Windows 10", "Windows 11")
    major, minor = values.get("CurrentMajorVersionNumber"), values.get("CurrentMinorVersionNumber")
    numbers = f"{major}.{minor}.{build}" if major is not None else f"{values.get('CurrentVersion')}.{build}"
    revision = values.get("UBR")
    edition = values.get("EditionID")
    kind = str(values.get("InstallationType") or "")
    server = kind.startswith("Server") if kind else " Server " in f" {name} "
    return {
        "name": name,
        "edition": edition,
        "version": values.get("DisplayVersion")
        or values.get("ReleaseId")
        or values.get("CSDVersion")
        or numbers,
        "build": f"{build}.{revision}" if revision is not None else build,
        "kernel": numbers,
        "arch": system.machine,
        **_support.of_windows(build, edition, server=server, today=today).fields(),
    }


def _from_wmi(found: Mapping[str, Any], today: str) -> Mapping[str, Any]:
    name = " ".join(str(found["Caption"] or "").replace("Microsoft ", "").split())
    build = str(found["BuildNumber"] or "")
    kind = str(found["ProductType"] or "")
    edition = _SKUS.get(_whole(found["OperatingSystemSKU"]) or 0) or edition_of(name)
    server = int(kind) != _WORKSTATION if kind.isdigit() else None
    return {
        "name": name,
        "edition": edition,
        "version": found["Version"],
        "build": build,
        "arch": found["OSArchitecture"],
        **_support.of_windows(build, edition, server=server, today=today).fields(),
    }


def _from_systeminfo(system: System, today: str) -> Mapping[str, Any]:
    from hatang_agent.probes import _systeminfo

    values = _systeminfo.read(system).values
    name = values.get("OS Name", "").replace("Microsoft ", "")
    found = re.match(r"(\d+\.\d+\.(\d+))\b", values.get("OS Version", ""))
    if not name or found is None:
        return {}
    edition = edition_of(name)
    support = _support.of_windows(found[2], edition, server=" Server " in f" {name} ", today=today)
    return {
        "name": name,
        "edition": edition,
        "version": found[1],
        "build": found[2],
        "arch": values.get("System Type", "").removesuffix("-based PC").lower(),
        **support.fields(),
    }


def edition_of(name: str) -> str | None:
    """The EditionID of a product by its English name; None for another language or name."""
    return next((edition for words, edition in _WORDS if re.search(words, name)), None)


def _whole(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None
