"""What only macOS has. Written against the documented interfaces; never run on a real Mac yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hatang_agent.system import System


def boot_id(system: System) -> str:
    """The kernel's name of this boot (``sysctl kern.bootsessionuuid``)."""
    return system.run(["sysctl", "-n", "kern.bootsessionuuid"], 5.0).stdout.strip()
