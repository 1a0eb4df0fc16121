"""Check what works here, what lacks rights, what cannot be reached, and say what to do next.

Every probe is run once, every broker, the enrolment address and every target of the networks and
services is tried, all at the same time and for at most some seconds. Works before enrolment; with
--url it then tries the address that is to be enrolled at. Changes nothing and sends no measurement.

Exit code 0 when all is well, 1 when something is to be done, 2 for bad usage.

Examples:
  hatang-agent doctor
  hatang-agent doctor --lang en
  hatang-agent doctor --url https://10.0.0.5:8443
  hatang-agent doctor --json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from hatang_agent import checkup, checkup_collector, checkup_machine, checkup_probes, config, registry
from hatang_agent.checkup import Finding
from hatang_agent.checkup_work import Job, work
from hatang_agent.config import AgentConfig
from hatang_agent.identity import Credential, IdentityError, load_credential
from hatang_agent.registry import Probe
from hatang_agent.runner import Runner
from hatang_agent.system import LocalSystem, System

TOTAL_S: Final = 16.0
"""Everything together; what has not ended by then is said to be late."""
AT_ONCE: Final = 8
_FIRST: Final = frozenset({"networks", "services"})
"""Probes that wait for others on the network and use all the time they are given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``doctor``."""
    parser.add_argument("--lang", choices=["vi", "en"], default="vi", help="language (default: vi)")
    parser.add_argument("--json", action="store_true", help="as JSON, both languages")
    parser.add_argument("--url", default="", metavar="URL", help="enrolment address to try")


def run(args: argparse.Namespace) -> int:
    """Print the findings."""
    system = LocalSystem()
    probes = registry.probes()
    settings = config.load_file(args.config, system, probes)
    folder = config.state_dir(settings, system, args.state)
    terminal = sys.stdout.isatty() and "NO_COLOR" not in system.environ
    tell = _progress(args.lang) if sys.stderr.isatty() and not args.json else None
    findings = examine(system, folder, settings, probes, args.url, tell)
    if args.json:
        print(json.dumps(checkup.plain(findings), ensure_ascii=False, indent=2))
    else:
        for line in checkup.lines(findings, args.lang, colours=terminal):
            print(line)
    return checkup.exit_code(findings)


def examine(
    system: System,
    folder: Path,
    settings: AgentConfig,
    probes: Mapping[str, Probe],
    url: str = "",
    tell: Callable[[int, int], None] | None = None,
    total_s: float = TOTAL_S,
) -> list[Finding]:
    """Every check; takes at most ``total_s`` and little more. ``tell`` hears (done, of how many)."""
    until_ms = system.boot_ms() + int(total_s * 1000)
    found = [checkup_machine.clock(system.wall_ms()), *checkup_machine.folder(folder)]
    credential, trouble = _credential(folder)
    service = Path(config.SERVICE_STATE)
    elsewhere = service if service.is_dir() and service != folder else None
    found.append(checkup_machine.identity(credential, trouble, elsewhere))
    if credential is not None:
        found.append(checkup_machine.outbox(folder))
        settings, said = checkup_collector.settings_in_force(folder, credential, settings, probes)
        found.append(said)

    def left_s() -> float:
        return (until_ms - system.boot_ms()) / 1000

    jobs = list(_jobs(system, settings, probes, credential, url, left_s))
    results: dict[int, Iterable[Finding]] = {}
    for done in work(jobs, AT_ONCE, left_s):
        results[done.number] = done.findings
        if tell is not None:
            tell(len(results), len(jobs))
    return [*found, *(one for number in sorted(results) for one in results[number])]


def _credential(folder: Path) -> tuple[Credential | None, IdentityError | None]:
    try:
        return load_credential(folder), None
    except IdentityError as error:
        return None, error


def _jobs(
    system: System,
    settings: AgentConfig,
    probes: Mapping[str, Probe],
    credential: Credential | None,
    url: str,
    left_s: Callable[[], float],
) -> Iterator[Job]:
    """What waits for the network first: it takes longest."""
    if credential is not None:
        yield from (checkup_collector.broker_job(broker, credential) for broker in credential.brokers)
    address = url or (credential.url if credential is not None else "")
    if address:
        yield checkup_collector.enrolment_job(address, needed=bool(url) or credential is None)
    yield checkup_machine.rights_job(system)
    role = credential.role if credential is not None else config.ROLE_PC
    runner = Runner(system, lambda: "0" * 16 + "-1")
    privileged = system.privileged()
    for name in sorted(probes, key=lambda name: (name not in _FIRST, name)):
        plan = config.plan(settings, probes[name], role)
        yield checkup_probes.job(runner, probes[name], plan, left_s, privileged=privileged)


def _progress(lang: str) -> Callable[[int, int], None]:
    """A line on standard error that is written over, and wiped at the end."""
    word = "đang kiểm tra" if lang == "vi" else "checking"

    def tell(done: int, total: int) -> None:
        end = "\r\x1b[K" if done == total else f"\r\x1b[K{word} {done}/{total} …"
        sys.stderr.write(end)
        sys.stderr.flush()

    return tell
