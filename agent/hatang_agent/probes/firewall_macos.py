"""Application firewall of a Mac. Never run on a Mac yet.

``socketfilterfw --getglobalstate`` tells it on every release; the setting in com.apple.alf is where
releases before macOS 15 keep it: 0 off, 1 on, 2 on and nothing let in but what the system needs.
"""

from __future__ import annotations

import re

from hatang_agent.probes._firewall_verdict import OFF, ON, UNREADABLE, Verdict
from hatang_agent.system import CommandMissing, CommandTimeout, System

SOCKETFILTER = ("/usr/libexec/ApplicationFirewall/socketfilterfw", "--getglobalstate")
DEFAULTS = ("defaults", "read", "/Library/Preferences/com.apple.alf", "globalstate")
PRODUCT = "macOS Application Firewall"
TIMEOUT_S = 10.0

_STATES = {"0": OFF, "1": ON, "2": ON}


def look(system: System) -> Verdict:
    """The verdict on this Mac's application firewall."""
    said: list[str] = []
    for argv in (SOCKETFILTER, DEFAULTS):
        try:
            output = system.run(argv, TIMEOUT_S)
        except CommandMissing:
            continue
        except CommandTimeout as error:
            said.append(str(error))
            continue
        text = output.stdout or output.stderr
        said.append(f"{argv[0].rpartition('/')[2]}: {text}")
        state = _state(output.stdout) if output.exit == 0 else None
        if state is not None:
            why = "nothing is let in but what the system needs" if state == "2" else ""
            return Verdict(_STATES[state], PRODUCT, why, said[-1])
    why = "the state could not be read" if said else "neither socketfilterfw nor defaults answered"
    return Verdict(UNREADABLE, PRODUCT, why, "; ".join(said))


def _state(text: str) -> str | None:
    """The number of the state from either command."""
    plain = text.strip()
    if re.fullmatch(r"[012]", plain):
        return plain
    found = re.search(r"\(State = ([012])\)", plain)
    return found[1] if found else None
