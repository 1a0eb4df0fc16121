"""What managers of packet filters say of themselves: ufw, firewalld, systemd. Pure.

They are asked where the rules themselves cannot be read. ON, OFF, or None when the text is no answer.
"""

from __future__ import annotations

import re

from hatang_agent.probes._firewall_verdict import OFF, ON

_UFW_ROW = re.compile(r".+? (ALLOW|DENY|REJECT|LIMIT)(?: (IN|OUT|FWD))? +\S.*")
_ACTIVE = re.compile(r"(?m)^\s*Active: (active \((?:running|exited)\)|inactive \(dead\)|failed \([^)]*\))")
_LOADED = re.compile(r"(?m)^\s*Loaded: \S+")


def ufw(text: str) -> tuple[str | None, str]:
    """State and reason from ``ufw status``, also ``verbose``.

    An active ufw that lets everything in by default and has no rule against anything is off.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines == ["Status: inactive"]:
        return OFF, "ufw is not active"
    if not lines or lines[0] != "Status: active":
        return None, ""
    rows = [_UFW_ROW.fullmatch(line) for line in _rows(lines)]
    lets_in = any(line.startswith("Default: allow (incoming)") for line in lines)
    if lets_in and all(row is not None and (row[1] == "ALLOW" or row[2] == "OUT") for row in rows):
        return OFF, "ufw lets everything in"
    return ON, ""


def _rows(lines: list[str]) -> list[str]:
    """The rows of the table of rules."""
    start = next((at for at, line in enumerate(lines) if re.fullmatch(r"-[- ]+", line)), len(lines))
    return lines[start + 1 :]


def firewall_cmd(text: str) -> str | None:
    """State from ``firewall-cmd --state``."""
    return {"running": ON, "not running": OFF}.get(text.strip())


def unit(text: str) -> str | None:
    """State of a service from ``systemctl status``; a failed one is none that filters, but no answer."""
    found = _ACTIVE.findall(text)
    if len(found) != 1 or not _LOADED.search(text):
        return None
    return ON if found[0].startswith("active") else OFF if found[0] == "inactive (dead)" else None


def unit_evidence(text: str) -> str:
    """The two lines of ``systemctl status`` that tell, without times, process numbers and log lines."""
    kept = [*_LOADED.findall(text), *(f"Active: {state}" for state in _ACTIVE.findall(text))]
    return "; ".join(line.strip() for line in kept)


def active(text: str) -> list[str]:
    """Words of ``systemctl is-active``, one for each unit asked for."""
    words = text.split()
    known = {"active", "inactive", "failed", "activating", "deactivating", "reloading", "unknown"}
    return words if set(words) <= known else []


def ufw_enabled(text: str | None) -> bool:
    """Whether /etc/ufw/ufw.conf starts ufw with the machine."""
    return re.search(r"(?mi)^\s*ENABLED\s*=\s*[\"']?yes\b", text or "") is not None


def without_remarks(text: str) -> str:
    """A listing of ufw without the remarks that people wrote on rules."""
    return "\n".join(line.split("#")[0].rstrip() for line in text.splitlines())
