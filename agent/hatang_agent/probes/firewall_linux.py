"""Packet filter of a Linux machine: nftables and iptables, both families; ufw and firewalld by name.

Rules are the truth and are asked first. Only where they cannot be read does the word of ufw, firewalld
or systemd count, and "not active" then counts only where no rule tool is there that refused to answer.
At most :data:`MAX_COMMANDS` commands are started in a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hatang_agent.probes import _firewall_iptables, _firewall_managers, _firewall_nft
from hatang_agent.probes._firewall_chains import BOTH, IPV4, IPV6, Reading, Ruleset, Stance, read
from hatang_agent.probes._firewall_nft import NotRules
from hatang_agent.probes._firewall_verdict import (
    OFF,
    ON,
    UNREADABLE,
    Refusal,
    Verdict,
    of_rules,
    shortened,
)
from hatang_agent.system import MAX_OUTPUT, CommandMissing, CommandTimeout, Output, System

MAX_COMMANDS = 3
TIMEOUT_S = 10.0

Argv = tuple[str, ...]

NFT_JSON: Argv = ("nft", "-j", "list", "ruleset")
NFT_TEXT: Argv = ("nft", "list", "ruleset")
UFW: Sequence[Argv] = (("ufw", "status"), ("ufw", "status", "verbose"))
FIREWALL_CMD: Argv = ("firewall-cmd", "--state")
IS_ACTIVE: Argv = ("systemctl", "is-active", "firewalld.service", "ufw.service")
STATUS_FIREWALLD: Sequence[Argv] = (
    ("systemctl", "status", "firewalld.service"),
    ("systemctl", "status", "firewalld"),
)
UFW_CONF = "/etc/ufw/ufw.conf"
_LISTED = (("-L", "-n", "-v"), ("-L", "-n"), ("-L",))


CLOSED = "?"
"""Stands for the names of tables that only root may read."""


def tables_of(tool: str, *, legacy: bool, closed: bool = False) -> list[Argv]:
    """Commands that show the rules of ``iptables`` or ``ip6tables``, the best first.

    The listing commands load kernel modules, so they come after the saving ones. ``closed``: nobody but
    root may read which older tables there are; one that is named can still be shown.
    """
    saved: list[Argv] = [(f"{tool}-save",)]
    saved.insert(0 if legacy else 1, (f"{tool}-legacy-save",))
    if closed:
        saved.insert(0, (f"{tool}-legacy-save", "-t", "filter"))
    return [*saved, (tool, "-S"), *((tool, *words) for words in _LISTED)]


class _Commands:
    """Starts at most so many commands. What is not installed costs nothing."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._left = MAX_COMMANDS

    def first(self, argvs: Sequence[Argv]) -> tuple[Argv, Output | Refusal] | None:
        """The answer of the first command that is there; None without any, or when enough were asked."""
        for argv in argvs:
            if self._left <= 0:
                return None
            try:
                output = self._system.run(argv, TIMEOUT_S)
            except CommandMissing:
                continue
            except CommandTimeout as error:
                self._left -= 1
                return argv, Refusal(argv[0], str(error))
            self._left -= 1
            return argv, output
        return None


def look(system: System) -> Verdict:
    """The verdict on this machine's own packet filter."""
    commands = _Commands(system)
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    in_use = ipv6_in_use(system)
    _ask_nft(commands, readings, refusals)
    for tool, family in (("iptables", IPV4), ("ip6tables", IPV6)):
        if _settled(readings) or (refusals and family == IPV6) or (in_use is False and family == IPV6):
            continue
        names = _names(system, "ip" if family == IPV4 else "ip6")
        # nft has shown the newer tables: what is left to be asked for are the older ones
        closed = names == CLOSED and bool(readings)
        answer = commands.first(tables_of(tool, legacy=names not in (None, "", CLOSED), closed=closed))
        if answer is not None:
            found = _listed(*answer, family)
            if isinstance(found, Reading):
                readings.append(found)
            elif names != "" or not readings:  # nft showed all there is where no older tables exist
                refusals.append(found)
    verdict = of_rules(readings, refusals, ipv6_in_use=in_use)
    if verdict.state != UNREADABLE:
        return verdict
    return _by_managers(system, commands, verdict, readings=readings, refused=bool(refusals or readings))


def _settled(readings: Sequence[Reading]) -> bool:
    """Whether nft already showed that both families are filtered."""
    return any(len(one.stances) == len(BOTH) and min(one.stances.values()) > Stance.OPEN for one in readings)


def ipv6_in_use(system: System) -> bool | None:
    """Whether any interface but the loopback has an IPv6 address; None when it is not known.

    The kernel leaves /proc/net/if_inet6 out where IPv6 is switched off.
    """
    text = system.read_text("/proc/net/if_inet6")
    if text is None:
        return None if system.read_text("/proc/net/dev") is None else False
    rows = [line.split() for line in text.splitlines()]
    return any(len(row) >= 6 and row[5] != "lo" for row in rows)


def _names(system: System, prefix: str) -> str | None:
    """Names of the older tables in use; CLOSED when they may not be read, None when not recorded."""
    try:
        text = system.read_text(f"/proc/net/{prefix}_tables_names")
    except PermissionError:
        return CLOSED
    return None if text is None else text.strip()


def _ask_nft(commands: _Commands, readings: list[Reading], refusals: list[Refusal]) -> None:
    answer = commands.first([NFT_JSON, NFT_TEXT])
    if answer is None:
        return
    found = _listed(*answer, None)
    if isinstance(found, Refusal) and answer[0] == NFT_JSON and "JSON support" in found.said:
        again = commands.first([NFT_TEXT])
        found = found if again is None else _listed(*again, None)
    if isinstance(found, Reading):
        readings.append(found)
    else:
        refusals.append(found)


def _listed(argv: Argv, answer: Output | Refusal, family: str | None) -> Reading | Refusal:
    """What a listing says, or why it says nothing."""
    if isinstance(answer, Refusal):
        return answer
    parse, families = _parser(argv, family)
    if answer.exit != 0:
        return Refusal(argv[0], f"exit {answer.exit}: {answer.stderr or answer.stdout}")
    try:
        rules = parse(answer.stdout)
    except NotRules:
        return Refusal(argv[0], f"not understood: {shortened(answer.stdout, 300)}")
    if len(answer.stdout) >= MAX_OUTPUT:
        rules.doubt("more than can be read")
    if _firewall_iptables.LEGACY_TABLES in answer.stderr:
        rules.doubt(_firewall_iptables.LEGACY_TABLES)
    found = read(rules, families)
    shown = found.evidence or f"{len(rules.chains)} chains, none on the input hook"
    return replace(found, evidence=f"{' '.join(argv)}: {shown}")


def _parser(argv: Argv, family: str | None) -> tuple[Callable[[str], Ruleset], frozenset[str]]:
    if family is None:
        return (_firewall_nft.from_json if argv == NFT_JSON else _firewall_nft.from_text), BOTH
    if argv[0].endswith("-save") or argv[-1] == "-S":
        return (lambda text: _firewall_iptables.from_save(text, family)), frozenset({family})
    return (lambda text: _firewall_iptables.from_listing(text, family)), frozenset({family})


def _by_managers(
    system: System, commands: _Commands, by_rules: Verdict, *, readings: Sequence[Reading], refused: bool
) -> Verdict:
    """The word of ufw, firewalld or systemd where the rules told nothing."""
    asked = (_ask_ufw, _ask_firewalld, _ask_systemd)
    evidence = [by_rules.evidence] if by_rules.evidence else []
    for ask in reversed(asked) if refused else asked:  # who may not read rules may still ask systemd
        found = ask(system, commands)
        if found is None:
            continue
        evidence.insert(0, found.evidence)
        sure = (found.state == OFF and not refused) or (found.state == ON and not _open(readings))
        if sure:
            why = "; ".join(
                part for part in (found.why, "the rules could not be read" if refused else "") if part
            )
            return replace(found, why=why, evidence="; ".join(evidence))
    return replace(by_rules, evidence="; ".join(evidence))


def _open(readings: Sequence[Reading]) -> bool:
    """Whether rules that were understood let a family in, whatever a manager says."""
    return any(Stance.OPEN in one.stances.values() and not one.unclear for one in readings)


def _ask_ufw(_system: System, commands: _Commands) -> Verdict | None:
    answer = commands.first(UFW)
    if answer is None or isinstance(answer[1], Refusal):
        return None
    text = answer[1].stdout
    state, why = _firewall_managers.ufw(text) if answer[1].exit == 0 else (None, "")
    shown = _firewall_managers.without_remarks(text or answer[1].stderr)
    return Verdict(state or UNREADABLE, "ufw", why, f"ufw: {shown}")


def _ask_firewalld(_system: System, commands: _Commands) -> Verdict | None:
    answer = commands.first([FIREWALL_CMD])
    if answer is None or isinstance(answer[1], Refusal):
        return None
    said = answer[1].stdout or answer[1].stderr
    state = _firewall_managers.firewall_cmd(said)
    why = "firewalld is not running" if state == OFF else ""
    return Verdict(state or UNREADABLE, "firewalld", why, f"firewall-cmd --state: {said}")


def _ask_systemd(system: System, commands: _Commands) -> Verdict | None:
    answer = commands.first([IS_ACTIVE, *STATUS_FIREWALLD])
    if answer is None or isinstance(answer[1], Refusal):
        return None
    argv, text = answer[0], answer[1].stdout
    if argv != IS_ACTIVE:
        state = _firewall_managers.unit(text)
        why = "firewalld is not running" if state == OFF else ""
        shown = _firewall_managers.unit_evidence(text) if state else text
        return Verdict(state or UNREADABLE, "firewalld", why, f"systemctl: {shown}")
    states = _firewall_managers.active(text)
    if len(states) != len(IS_ACTIVE) - 2:
        return None
    shown = f"firewalld.service {states[0]}, ufw.service {states[1]}"
    if states[0] == "active":
        return Verdict(ON, "firewalld", "", shown)
    if states[1] == "active" and _firewall_managers.ufw_enabled(system.read_text(UFW_CONF)):
        return Verdict(ON, "ufw", "", f"{shown}, ENABLED=yes")
    return Verdict(UNREADABLE, "", "", shown)
