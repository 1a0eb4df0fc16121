"""The operating system of a Mac, from one command. Never run on a real Mac yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatang_agent.probes import _support
from hatang_agent.system import System


def describe(system: System) -> Mapping[str, Any]:
    """Fields of the fact ``os``."""
    lines = (line.partition(":") for line in system.run(["sw_vers"], 5.0).stdout.splitlines())
    found = {name.strip(): value.strip() for name, _, value in lines}
    return {
        "name": found.get("ProductName"),
        "version": found.get("ProductVersion"),
        "build": found.get("BuildVersion"),
        "kernel": system.release,
        "arch": system.machine,
        **_support.unknown().fields(),
    }
