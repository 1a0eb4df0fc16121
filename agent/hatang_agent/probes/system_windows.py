"""The operating system of a Windows machine, from the registry, else from WMI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatang_agent.system import System

VERSION_KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
FIRST_BUILD_OF_11 = 22_000
"""Windows 11 still calls itself "Windows 10" in the registry; its build number tells."""


def describe(system: System) -> Mapping[str, Any]:
    """Fields of the fact ``os``."""
    values = system.registry(VERSION_KEY) or {}
    if values.get("ProductName"):
        return _from_registry(system, values)
    properties = ["Caption", "Version", "BuildNumber", "OSArchitecture"]
    for found in system.wmi("root/cimv2", "Win32_OperatingSystem", properties):
        return {
            "name": str(found["Caption"] or "").replace("Microsoft ", "").strip(),
            "version": found["Version"],
            "build": found["BuildNumber"],
            "arch": found["OSArchitecture"],
        }
    return {}


def _from_registry(system: System, values: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(values["ProductName"])
    build = str(values.get("CurrentBuildNumber") or values.get("CurrentBuild") or "")
    if build.isdigit() and int(build) >= FIRST_BUILD_OF_11:
        name = name.replace("Windows 10", "Windows 11")
    major, minor = values.get("CurrentMajorVersionNumber"), values.get("CurrentMinorVersionNumber")
    numbers = f"{major}.{minor}.{build}" if major is not None else f"{values.get('CurrentVersion')}.{build}"
    revision = values.get("UBR")
    return {
        "name": name,
        "edition": values.get("EditionID"),
        "version": values.get("DisplayVersion")
        or values.get("ReleaseId")
        or values.get("CSDVersion")
        or numbers,
        "build": f"{build}.{revision}" if revision is not None else build,
        "kernel": numbers,
        "arch": system.machine,
    }
