"""Run one probe now and print what it measured.

Exit code 0 when the run is ok or has no data, 1 when the probe failed or timed out, 2 for bad usage.

Examples:
  hatang-agent once usage
  hatang-agent once usage --json
  hatang-agent once usage --set first_reading_s=2
  hatang-agent once hardware --replay recorded/dell-desktop --json
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import sys
import typing
from pathlib import Path
from typing import Any

from hatang_agent import config, registry, strictconfig
from hatang_agent.commands import CommandFailed
from hatang_agent.registry import Probe
from hatang_agent.runner import Runner
from hatang_agent.strictconfig import Place
from hatang_agent.system import LocalSystem, System
from hatang_agent.wire import codec
from hatang_agent.wire.report import Run, Sample, Status

COLOURS = {Status.OK: "32", Status.NO_DATA: "33", Status.FAILED: "31", Status.TIMEOUT: "31"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``once``."""
    parser.add_argument("probe", metavar="PROBE", help="name of the probe, see: hatang-agent list")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="a setting of the probe",
    )
    parser.add_argument("--replay", type=Path, metavar="DIR", help="a recorded machine instead of this one")
    parser.add_argument("--json", action="store_true", help="the run as JSON")


def run(args: argparse.Namespace) -> int:
    """Execute the probe and print its run."""
    probes = registry.probes()
    probe = probes.get(args.probe)
    if probe is None:
        raise CommandFailed(f"no probe {args.probe!r}; there are: {', '.join(probes)}", 2)
    system = _system(args.replay)
    settings = config.load_file(args.config, LocalSystem(), probes)
    settings = _with_settings(settings, probe, args.settings)
    plan = config.plan(settings, probe, config.ROLE_PC, place=Place("--set", ""))
    number = f"{system.random_hex(16)}-1"
    done = Runner(system, lambda: number).execute(probe, plan.config)
    if args.json:
        print(json.dumps(shown(codec.plain(done), probe), ensure_ascii=False, indent=2))
    else:
        for line in table(
            done, probe, colours=sys.stdout.isatty() and "NO_COLOR" not in LocalSystem().environ
        ):
            print(line)
    return 1 if done.status in (Status.FAILED, Status.TIMEOUT) else 0


def _system(replay: Path | None) -> System:
    if replay is None:
        return LocalSystem()
    from hatang_agent.system_replay import ReplayError, ReplaySystem

    try:
        return ReplaySystem(replay)
    except ReplayError as error:
        raise CommandFailed(str(error), 2) from error


def _with_settings(settings: config.AgentConfig, probe: Probe, given: list[str]) -> config.AgentConfig:
    """The settings with ``--set key=value`` on top of the probe's table."""
    hints = typing.get_type_hints(probe.config)
    values: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise CommandFailed(f"--set {text}: no value; write --set {key}=VALUE", 2)
        place = Place(f"--set {text}", "", ("probes", probe.name))
        strictconfig.refuse_unknown({key: value}, set(hints) - config.POLICY_KEYS, place)
        values[key] = strictconfig.from_text(hints[key], value, place, key)
    tables = {**settings.probes, probe.name: {**settings.probes.get(probe.name, {}), **values}}
    return dataclasses.replace(settings, probes=tables)


def shown(run: dict[str, Any], probe: Probe) -> dict[str, Any]:
    """The run with the fields gathered that the probe's ``JSON_OBJECTS`` puts into one object.

    Facts travel with plain fields only; kind, name of the object and its fields are declared there.
    """
    module = importlib.import_module(probe.measure.__module__)
    objects: dict[str, dict[str, tuple[str, ...]]] = getattr(module, "JSON_OBJECTS", {})
    for fact in run.get("facts", ()):
        fields = fact["fields"]
        for name, members in objects.get(fact["kind"], {}).items():
            fields[name] = {member: fields.pop(member) for member in members if member in fields}
    return run


def table(done: Run, probe: Probe, *, colours: bool = False) -> list[str]:
    """The run for people, as lines."""
    status = str(done.status)
    if colours and done.status in COLOURS:
        status = f"\x1b[{COLOURS[done.status]}m{status}\x1b[0m"
    lines = [f"{done.probe}: {status}, {done.took_ms} ms"]
    if done.error is not None:
        lines.append(f"  {done.error.message}" + (f"; {done.error.hint}" if done.error.hint else ""))
    names = [_name(sample) for sample in done.samples]
    width = max(map(len, names), default=0)
    for name, sample in zip(names, done.samples, strict=True):
        lines.append(f"  {name:<{width}}  {quantity(sample.value, sample.unit)}")
    units = {one.name: one.unit for one in probe.fields if one.fact}
    for fact in done.facts:
        lines.append(f"  {fact.kind}{' ' + fact.key if fact.key else ''}")
        wide = max(map(len, fact.fields), default=0)
        lines += [
            f"    {key:<{wide}}  {_shown(value, units.get(f'{fact.kind}.{key}', ''))}"
            for key, value in fact.fields.items()
        ]
    return lines


def _name(sample: Sample) -> str:
    tags = ",".join(f"{key}={value}" for key, value in sorted(sample.tags.items()))
    return f"{sample.name}{{{tags}}}" if tags else sample.name


def quantity(value: float, unit: str) -> str:
    """A number with its unit, large ones shortened: ``15.6 GiB``, ``94.2 Mbit/s``."""
    step, prefixes = {"B": (1024, ["", "Ki", "Mi", "Gi", "Ti"]), "bit/s": (1000, ["", "k", "M", "G"])}.get(
        unit, (0, [""])
    )
    power = 0
    while step and abs(value) >= step and power < len(prefixes) - 1:
        value /= step
        power += 1
    number = f"{value:.1f}" if power or not float(value).is_integer() else f"{value:.0f}"
    return f"{number} {prefixes[power]}{unit}".rstrip()


def _shown(value: object, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit and isinstance(value, (int, float)):
        return quantity(value, unit)
    return str(value)
