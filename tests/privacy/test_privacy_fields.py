"""Nothing leaves but what `hatang-agent fields` prints: on every recorded machine, and on this one."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hatang_agent import __main__ as program
from hatang_agent import config, registry
from hatang_agent.declared import ENVELOPE, declared
from hatang_agent.outbox import Limits, Order, Origin, Outbox
from hatang_agent.registry import Probe
from hatang_agent.runner import Runner, clock
from hatang_agent.system import LocalSystem, System
from hatang_agent.wire import codec, report
from privacy.planted import CASES, Awake

PROBES = registry.probes()
LISTED = {(one.probe, one.name): one for one in declared(PROBES) if one.kind != "envelope"}
WRAPPED = {one.name for one in ENVELOPE}
MACHINES = [pytest.param(case, id=case.name) for case in CASES] + [pytest.param(None, id="this machine")]

# What the parts of a report are made of: field to the dataclass its value is.
PARTS: Mapping[str, type[Any]] = {
    "Report.predecessor": report.Predecessor,
    "Report.clock": report.Clock,
    "Report.runs": report.Run,
    "Report.gaps": report.Gap,
    "Run.clock": report.Clock,
    "Run.samples": report.Sample,
    "Run.facts": report.Fact,
    "Run.error": report.RunError,
}


def settings_of(probe: Probe, case: Path | None) -> Any:
    """Settings under which a probe has something to tell."""
    chosen = config.plan(config.AgentConfig(), probe, "pc", host_name_key=b"k" * 32).config
    wanted: dict[str, Any] = {"first_reading_s": 0.01, "spread_s": 0.0, "host_name": "plain"}
    if (lines := targets(probe, case)) is not None:
        wanted["targets"] = lines
    given = {name: value for name, value in wanted.items() if hasattr(chosen, name)}
    return dataclasses.replace(chosen, **given)


def targets(probe: Probe, case: Path | None) -> tuple[str, ...] | None:
    """What a recorded machine was asked for; on this one an address where nothing listens."""
    if case is None:
        return ("example tcp 127.0.0.1:1",)
    path = case / f"{probe.name}.json"
    return tuple(json.loads(path.read_text(encoding="utf-8"))["targets"]) if path.is_file() else None


def sealed(case: Path | None, folder: Path) -> dict[str, Any]:
    """The JSON of one sealed report with a run of every probe on a machine."""
    system: System = LocalSystem() if case is None else Awake(case)
    origin = Origin("a" * 16, "5e" * 8, "pc", "0.1.0")
    outbox = Outbox(folder, origin, Limits(20_000_000, 200_000), system.wall_ms)
    numbers = iter(range(1, 100))
    runner = Runner(system, lambda: f"{'5e' * 8}-{next(numbers)}")
    for probe in PROBES.values():
        outbox.commit(runner.execute(probe, settings_of(probe, case)))
    found = outbox.seal(clock(system), Order.NEWEST)
    assert found is not None
    wire = outbox.wire(found.digest)
    outbox.close()
    assert wire is not None
    told: dict[str, Any] = json.loads(codec.inflate(wire))
    assert {run["probe"] for run in told["runs"]} == set(PROBES)
    return told


def envelope(kind: type[Any], values: Mapping[str, Any]) -> Iterator[str]:
    """Names of all fields of a message and its parts, as they stand in the bytes."""
    for name, content in values.items():
        field = f"{kind.__name__}.{name}"
        yield field
        if field in PARTS and content is not None:
            for one in content if isinstance(content, list) else [content]:
                yield from envelope(PARTS[field], one)


@pytest.mark.parametrize("case", MACHINES)
def test_a_sealed_report_holds_listed_fields_only(case: Path | None, tmp_path: Path) -> None:
    """Each name in the bytes, down to the tags and the fields of facts, has its line in the list."""
    told = sealed(case, tmp_path)

    assert set(envelope(report.Report, told)) <= WRAPPED
    for run in told["runs"]:
        for sample in run.get("samples", ()):
            listed = LISTED[run["probe"], sample["name"]]
            assert listed.kind == "sample"
            assert set(sample.get("tags", {})) <= set(listed.tags)
        for fact in run.get("facts", ()):
            names = {f"{fact['kind']}.{name}" for name in fact["fields"]}
            assert {LISTED[run["probe"], name].kind for name in names} <= {"fact"}


def test_the_machines_together_send_most_of_what_is_listed(tmp_path: Path) -> None:
    """The test above looks at real content: most listed fields occur on some recorded machine."""
    seen: set[str] = set()
    for number, case in enumerate(CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        for run in sealed(case, folder)["runs"]:
            seen |= {sample["name"] for sample in run.get("samples", ())}
            seen |= {f"{fact['kind']}.{name}" for fact in run.get("facts", ()) for name in fact["fields"]}

    assert seen <= {name for _, name in LISTED}
    assert len(seen) > 0.6 * len(LISTED)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_command_prints_every_field(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each field that may leave has a line with its meaning, in Vietnamese and in English."""
    assert program.main(["fields", "--lang", lang]) == 0
    printed = capsys.readouterr().out
    lines = dict(re.findall(r"(?m)^  (\w+\.\w+) +(\S.*)$", printed))

    assert set(lines) == {name for _, name in LISTED} | WRAPPED
    for one in declared(PROBES):
        assert lines[one.name].startswith(one.vi if lang == "vi" else one.en)
        assert all(tag in lines[one.name] for tag in one.tags)
    assert ("Không bao giờ thu thập" if lang == "vi" else "Never collected") in printed
    assert ("chỉ gửi tới bộ thu" if lang == "vi" else "to nobody else") in printed


def test_fields_that_nobody_may_collect_are_not_listed() -> None:
    """What the design forbids has no name in the list."""
    never = re.compile(
        r"login|user(?!_)|ssid|password|home_?dir|browser|history|title|screenshot|keystroke|"
        r"file_?name|command_?line|usb|latitude|longitude|picture|mail",
        re.IGNORECASE,
    )

    assert [name for _, name in LISTED if never.search(name)] == []
