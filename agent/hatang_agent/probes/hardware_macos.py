"""Hardware of a Mac, from one command. Never run on a real Mac yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatang_agent.system import System

SYSCTL = (
    "sysctl",
    "hw.model",
    "hw.memsize",
    "hw.physicalcpu",
    "hw.logicalcpu",
    "machdep.cpu.brand_string",
)


def inventory(system: System) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Kind, key and fields of every fact."""
    lines = (line.partition(": ") for line in system.run(SYSCTL, 5.0).stdout.splitlines())
    found = {name: value.strip() for name, _, value in lines}
    numbers = {name: int(value) for name, value in found.items() if value.isdigit()}
    model = found.get("hw.model")
    computer = {
        "manufacturer": "Apple",
        "model": model,
        "chassis": "laptop" if model and "book" in model.lower() else None,
        "memory_total": numbers.get("hw.memsize"),
    }
    cpu = {
        "name": found.get("machdep.cpu.brand_string"),
        "cores": numbers.get("hw.physicalcpu"),
        "threads": numbers.get("hw.logicalcpu"),
    }
    return [("computer", "", computer), ("cpu", "", cpu)]
