"""What every probe promises; each is found by package scan, none is named here."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hatang_agent import config, probedoc, registry
from hatang_agent.declared import ENVELOPE, declared
from hatang_agent.probes import hardware
from hatang_agent.registry import Probe
from hatang_agent.runner import Runner
from hatang_agent.system import LocalSystem, System
from hatang_agent.system_replay import ReplaySystem
from hatang_agent.wire import codec, messages, report
from hatang_agent.wire.report import SCHEMA, Report, Run, Status

PROBES = registry.probes()
CASES = sorted((Path(__file__).parent / "cases").iterdir())
REPOSITORY = Path(__file__).parents[2]
each_probe = pytest.mark.parametrize("probe", PROBES.values(), ids=list(PROBES))
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)

NOT_EVERYWHERE = {"power": "no battery", "services": "configured", "networks": "configured"}
"""Probes that have no data on some machines or before they are configured, and a word of their reason."""

NEVER = re.compile(
    r"login|user(?!_)|ssid|serial|password|home_?dir|(?<!active_)profile|browser|account|mail|location"
)


def execute(probe: Probe, system: System, **settings: object) -> Run:
    """One run of a probe on a machine, its settings changed as asked where it has them."""
    chosen = config.plan(config.AgentConfig(), probe, "pc").config
    names = {item.name for item in dataclasses.fields(chosen)}
    changed = dataclasses.replace(chosen, **{key: value for key, value in settings.items() if key in names})
    return Runner(system, lambda: "0" * 16 + "-1").execute(probe, changed)


@each_probe
def test_a_probe_explains_itself(probe: Probe) -> None:
    """Documentation, help for each setting, both languages for each field, sane times and roles."""
    assert len(probe.doc.splitlines()[0]) > 20
    assert all(item.metadata.get("help") for item in dataclasses.fields(probe.config))
    assert all(one.vi and one.en and one.vi != one.en for one in probe.fields)
    assert len({one.name for one in probe.fields}) == len(probe.fields)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", one.name) for one in probe.fields)
    assert 0 < probe.deadline_s <= 300
    assert probe.interval_s >= 1
    assert probe.roles <= {"pc", "probe"}
    probe.config()


@each_probe
def test_a_probe_collects_nothing_forbidden(probe: Probe) -> None:
    """No declared name speaks of people, accounts, places or serial numbers."""
    assert [one.name for one in probe.fields if NEVER.search(one.name)] == []


@each_probe
def test_this_machine_is_measured(probe: Probe) -> None:
    """A live run is ok, within its deadline, and survives the way over the wire."""
    run = execute(probe, LocalSystem(), first_reading_s=0.05)
    if probe.name in NOT_EVERYWHERE and run.status is Status.NO_DATA:
        assert run.error is not None
        assert NOT_EVERYWHERE[probe.name] in run.error.message
    else:
        assert run.status is Status.OK, run.error
        assert run.samples or run.facts
    assert run.took_ms < probe.deadline_s * 1000
    clock = run.clock
    sealed = Report(SCHEMA, "a" * 16, "0" * 16, 1, None, clock, "pc", "0", (run,))
    assert codec.decode(codec.encode(sealed)).runs == (run,)


EXPECTED = [
    pytest.param(case, name, expected, id=f"{case.name}-{name}")
    for case in CASES
    for name, expected in json.loads((case / "expected.json").read_text()).items()
    if name != "fingerprint"
]


@pytest.mark.parametrize(("case", "name", "expected"), EXPECTED)
def test_recorded_machines(case: Path, name: str, expected: dict[str, Any]) -> None:
    """A recorded machine gives exactly what its expected.json says, each time."""
    for _ in range(2):
        assert comparable(execute(PROBES[name], ReplaySystem(case))) == expected


@each_case
def test_fingerprints_of_recorded_machines(case: Path) -> None:
    """Serials, burnt-in addresses of wired cards and the UUID; no placeholder, no random address."""
    expected = json.loads((case / "expected.json").read_text())["fingerprint"]
    assert hardware.fingerprint(ReplaySystem(case)) == expected


def comparable(run: Run) -> dict[str, Any]:
    """A run without id and clock, in the form of expected.json."""
    values = codec.plain(run)
    found = {key: values[key] for key in ("status", "error") if key in values}
    if run.samples:
        found["samples"] = [
            [one["name"], one["value"], one["unit"], one.get("tags", {})] for one in values["samples"]
        ]
    if run.facts:
        found["facts"] = {f"{one['kind']} {one['key']}".strip(): one["fields"] for one in values["facts"]}
    return found


@each_probe
@each_case
def test_nothing_personal_leaves(probe: Probe, case: Path) -> None:
    """Names of people and machines that the recording holds are nowhere in a run."""
    text = json.dumps(codec.plain(execute(probe, ReplaySystem(case)))).lower()
    for secret in ("nguyen", "ubnd", "may01", "b5qw23a", "zn1abcde", "wcayux", "4c4c4544", "s660nx0r"):
        assert secret not in text


@each_probe
@each_case
def test_every_field_sent_is_listed(probe: Probe, case: Path) -> None:
    """What a run carries is in the list that `hatang-agent fields` prints, with its unit and tags."""
    listed = {one.name: one for one in declared(PROBES) if one.probe == probe.name}
    machines: list[System] = [ReplaySystem(case), LocalSystem()]
    for system in machines:
        run = execute(probe, system, host_name="plain", first_reading_s=0.01)
        for sample in run.samples:
            assert listed[sample.name].kind == "sample"
            assert (listed[sample.name].unit, set(listed[sample.name].tags)) == (
                sample.unit,
                set(sample.tags),
            )
        for fact in run.facts:
            assert {listed[f"{fact.kind}.{name}"].kind for name in fact.fields} == {"fact"}


@each_probe
def test_two_facts_of_a_kind_have_two_keys(probe: Probe) -> None:
    """Kind and key tell the facts of a run apart, samples by name and tags."""
    machines: list[System] = [LocalSystem(), *map(ReplaySystem, CASES)]
    for system in machines:
        run = execute(probe, system, first_reading_s=0.01)
        keys = [(fact.kind, fact.key) for fact in run.facts]
        names = [(sample.name, tuple(sorted(sample.tags.items()))) for sample in run.samples]
        assert len(keys) == len(set(keys))
        assert len(names) == len(set(names))


@each_probe
def test_facts_do_not_flicker(probe: Probe) -> None:
    """Two runs on an unchanged machine have the same facts, so that they travel once."""
    system = LocalSystem()
    first, second = (execute(probe, system, first_reading_s=0.0) for _ in range(2))
    assert first.facts_digest == second.facts_digest


def test_the_envelope_is_listed_completely() -> None:
    """Each field of each message an agent sends has its line, and no line is left of a field that is gone."""
    sent = [
        report.Report,
        report.Predecessor,
        report.Clock,
        report.Run,
        report.RunError,
        report.Sample,
        report.Fact,
        report.Gap,
        messages.Birth,
        messages.Presence,
        messages.Beat,
        messages.EnrolRequest,
    ]
    names = {f"{kind.__name__}.{item.name}" for kind in sent for item in dataclasses.fields(kind)}
    assert {one.name for one in ENVELOPE} == names


def test_a_probe_is_one_file() -> None:
    """Modules of one system and private ones are no probes, and probes do not import each other."""
    folder = REPOSITORY / "agent/hatang_agent/probes"
    for path in folder.glob("*.py"):
        imported = re.findall(r"from hatang_agent\.probes(?:\.(\w+))? import (\w+)", path.read_text())
        for module, name in imported:
            other = module or name
            assert other.startswith("_") or other.startswith(f"{path.stem}_"), f"{path.name} imports {other}"


def test_the_page_of_the_probes_is_current() -> None:
    """docs/probes.md is what the code says; `make docs` writes it."""
    page = (REPOSITORY / "docs/probes.md").read_text(encoding="utf-8")
    assert page == probedoc.page(PROBES)


def test_check_mode_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Written, it is current; changed by hand, --check says so with the command that mends it."""
    page = tmp_path / "probes.md"
    for argv, code in (([], 0), (["--check"], 0)):
        monkeypatch.setattr("sys.argv", ["probedoc", str(page), *argv])
        assert probedoc.main() == code
    page.write_text(page.read_text() + "by hand")
    assert probedoc.main() == 1
    assert capsys.readouterr().err == f"{page} differs from the code: run 'make docs' and commit\n"


def test_the_page_names_what_is_to_be_recorded() -> None:
    """Each command and WMI class that the code uses stands on the page."""
    page = (REPOSITORY / "docs/probes.md").read_text(encoding="utf-8")
    sources = [
        path.read_text()
        for path in (REPOSITORY / "agent/hatang_agent").glob("**/*.py")
        if path.stem != "probedoc"
    ]
    classes = set(
        itertools.chain.from_iterable(re.findall(r'"((?:Win32|MSFT)_\w+)"', text) for text in sources)
    )
    assert len(classes) > 10
    assert [name for name in sorted(classes) if name not in page] == []
    for command in (
        "`df -P -k`",
        "`ip addr`",
        "`ethtool -P <name>`",
        "`sw_vers`",
        "`sysctl -n kern.bootsessionuuid`",
    ):
        assert command in page


def test_measurements_stay_within_the_wire_budget() -> None:
    """Five minutes of a PC with two disks and a card fit in 1.6 KB, a third of it to spare for TLS."""
    case = ReplaySystem(Path(__file__).parent / "cases/dell-desktop-debian-12")
    runs = []
    for minute in range(5):
        for name, number in (("usage", 1), ("interfaces", 2)):
            run = execute(PROBES[name], case)
            samples = tuple(_jitter(sample, minute) for sample in run.samples)
            clock = dataclasses.replace(run.clock, wall_ms=run.clock.wall_ms + minute * 60_007)
            identity = f"{'5e' * 8}-{minute * 2 + number}"
            changed: Mapping[str, Any] = {
                "id": identity,
                "clock": clock,
                "samples": samples,
                "facts": (),
                "unchanged": True,
            }
            runs.append(dataclasses.replace(run, **changed))
    sealed = Report(SCHEMA, "a" * 16, "5e" * 8, 9, None, runs[0].clock, "pc", "0.1.0", tuple(runs))
    assert len(codec.encode(sealed)) < 1_600


def _jitter(sample: report.Sample, minute: int) -> report.Sample:
    moving = sample.value and not sample.name.endswith("total") and sample.name != "interfaces.up"
    return dataclasses.replace(sample, value=sample.value + minute * 7919 if moving else sample.value)
