"""Both programs as a person types them: help, mistakes, exit codes."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import hatang_agent.__main__
import hatang_agent.commands
import hatang_collector.__main__
import hatang_collector.commands
from support.servers import free_port
from support.stack import BIN, ROOT, Stack, command
from support.wait import until

COMMANDS = [
    (program, found.name.rstrip("_").replace("_", "-"))
    for program, package in (("agent", hatang_agent.commands), ("collector", hatang_collector.commands))
    for found in pkgutil.iter_modules(package.__path__)
    if not found.name.startswith("_")
]


Typed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types a command into the program's own entry point, within this process: a start takes a second."""
    mains: dict[str, Callable[[list[str]], int]] = {
        "agent": hatang_agent.__main__.main,
        "collector": hatang_collector.__main__.main,
    }

    def run(program: str, *argv: str) -> subprocess.CompletedProcess[str]:
        try:
            code = mains[program](list(argv))
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return subprocess.CompletedProcess(argv, code, told.out, told.err)

    return run


def one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Assert that all it said is one line on standard error with these parts."""
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize("program", ["agent", "collector"])
def test_help_names_every_command(program: str) -> None:
    """The installed program lists each command with its first line, and its examples."""
    done = subprocess.run(
        [BIN / f"hatang-{program}", "--help"], capture_output=True, text=True, check=True, timeout=30
    )

    for name in (name for owner, name in COMMANDS if owner == program):
        assert f"    {name}" in done.stdout
    assert f"  hatang-{program} " in done.stdout.partition("examples:")[2]


@pytest.mark.parametrize(("program", "name"), COMMANDS, ids=[" ".join(both) for both in COMMANDS])
def test_help_of_a_command_has_an_example(typed: Typed, program: str, name: str) -> None:
    """Every command shows how it is typed."""
    done = typed(program, name, "--help")

    assert done.returncode == 0
    assert f"  hatang-{program} {name}" in done.stdout.partition("Examples:")[2]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[web]\nport = 8081\nprot = 8082\n", ("collector.toml:3", "unknown key 'prot'", "'port'")),
        ("[web]\n\nport = 'x'\n", ("collector.toml:3", "port")),
        ("[web]\nport = 70000\n", ("collector.toml:2", "65535")),
        ("[brokr]\n", ("collector.toml:1", "'brokr'", "'broker'")),
        ("[web\n", ("collector.toml", "1")),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(
    typed: Typed, tmp_path: Path, text: str, parts: tuple[str, ...]
) -> None:
    """Unknown key, wrong type, out of range, broken file: one line with file and line, exit code 2."""
    (tmp_path / "collector.toml").write_text(text, encoding="utf-8")

    for name in ("check-config", "serve"):
        done = typed("collector", name, "--data", str(tmp_path))

        assert done.returncode == 2
        one_line(done, *parts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["collector.toml"], "nothing was begun"


def test_a_wrong_environment_variable_is_named(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes from the environment is told as coming from there."""
    monkeypatch.setenv("HATANG_WEB_PORT", "http")
    done = typed("collector", "check-config", "--data", str(tmp_path))

    assert done.returncode == 2
    one_line(done, "HATANG_WEB_PORT")


def test_a_named_settings_file_must_be_there(typed: Typed, tmp_path: Path) -> None:
    """A file that was named and is missing is an error that says how to make it."""
    path = tmp_path / "other.toml"
    done = typed("collector", "check-config", "--data", str(tmp_path), "--config", str(path))

    assert done.returncode == 2
    one_line(done, str(path), "sample-config")


def test_the_sample_is_a_valid_file(typed: Typed, tmp_path: Path) -> None:
    """What sample-config prints, check-config takes: as it is, and with every setting uncommented."""
    sample = typed("collector", "sample-config").stdout
    settings = [line.removeprefix("#") for line in sample.splitlines() if not line.startswith("# ")]
    for text in (sample, "\n".join(settings)):
        (tmp_path / "collector.toml").write_text(text, encoding="utf-8")
        done = typed("collector", "check-config", "--data", str(tmp_path))

        assert (done.returncode, done.stderr) == (0, ""), text


@pytest.mark.parametrize(
    "argv",
    [
        ("collector", "fly"),
        ("collector", "replay", "--data", "/nowhere/a", "--speed", "9"),
        ("agent", "fly"),
        ("agent", "once"),
    ],
)
def test_bad_usage_is_code_2(typed: Typed, argv: tuple[str, ...]) -> None:
    """A command or option that does not exist is bad usage."""
    done = typed(*argv)

    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A file where the data folder should be: place and cause, code 1."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = command("collector", "users", "list", "--data", str(tmp_path / "file" / "data"))

    assert done.returncode == 1
    one_line(done, str(tmp_path / "file"))


def test_a_store_that_never_answers_is_told_by_replay(tmp_path: Path) -> None:
    """A series server that is not there: replay says so in one line, and what happens next; code 1."""
    url = f"http://127.0.0.1:{free_port()}"
    done = command(
        "collector",
        *("replay", "series", "--data", str(tmp_path)),
        HATANG_STORE_KIND="influxdb",
        HATANG_STORE_URL=url,
    )

    assert done.returncode == 1
    one_line(done, url, "next start")


def test_without_the_extra_the_collector_says_what_to_install() -> None:
    """An interpreter without third-party packages: one line with the command that helps, code 2."""
    paths = os.pathsep.join(str(ROOT / name) for name in ("agent", "collector"))
    done = subprocess.run(
        [sys.executable, "-S", "-m", "hatang_collector", "serve"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths},
        timeout=30,
    )

    assert done.returncode == 2
    one_line(done, "pip install 'hatang[collector]'")


def test_an_agent_looks_after_itself(stack: Stack, typed: Typed) -> None:
    """Doctor and outbox tell a person how an enrolled agent is, also while it runs."""
    state = stack.folder / "state"
    state.mkdir()
    identity = stack.enrol(state, stack.token(), "Máy").agent
    stack.agent(state)
    until(lambda: stack.receipts(identity).runs >= 1, 20, "the agent is heard")

    well = typed("agent", "doctor", "--state", str(state))
    held = typed("agent", "outbox", "--state", str(state))
    stack.collector.stop()
    ill = typed("agent", "doctor", "--state", str(state))

    assert (well.returncode, held.returncode) == (0, 0), well.stdout + held.stderr
    assert str(stack.broker_port) in well.stdout
    assert ill.returncode == 1
    assert str(stack.broker_port) in ill.stdout
