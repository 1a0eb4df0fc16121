"""The operating system of a Linux machine, from os-release(5) and /proc."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from hatang_agent.probes import _support
from hatang_agent.system import System


def describe(system: System, today: str) -> Mapping[str, Any]:
    """Fields of the fact ``os``; empty when nothing is known."""
    text = system.read_text("/etc/os-release") or system.read_text("/usr/lib/os-release") or ""
    found = parse_os_release(text)
    kernel = (system.read_text("/proc/sys/kernel/osrelease") or system.release).strip()
    if not found and not kernel:
        return {}
    support = _support.of_linux(found.get("ID"), found.get("VERSION_ID"), today=today)
    return {
        "name": found.get("NAME") or ("Linux" if kernel else ""),
        "edition": found.get("VARIANT"),
        "version": found.get("VERSION_ID"),
        "build": found.get("BUILD_ID"),
        "kernel": kernel,
        "arch": system.machine,
        **support.fields(),
    }


def parse_os_release(text: str) -> dict[str, str]:
    """Names and values of os-release(5), quotes taken off; broken lines are passed over."""
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"\s*([A-Z][A-Z0-9_]*)=(.*)", line):
            try:
                found[match[1]] = "".join(shlex.split(match[2]))[:200]
            except ValueError:
                continue
    return found
