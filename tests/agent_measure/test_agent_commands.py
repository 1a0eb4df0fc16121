"""The command line: what a person types, what is printed, and the exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hatang_agent import __main__ as program
from hatang_agent import __version__, registry
from hatang_agent.commands import once
from hatang_agent.registry import Context, Result
from hatang_agent.wire.report import Run
from support.wait import until

CASES = Path(__file__).parent / "cases"
DELL = str(CASES / "dell-desktop-debian-12")
REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY / "agent")}


def agent(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit code, output and error output of one command line."""
    code = program.main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("probe", registry.probes())
def test_once_prints_the_run_as_it_travels(capsys: pytest.CaptureFixture[str], probe: str) -> None:
    """--json is the wire form of a run, live and recorded."""
    for more in ([], ["--replay", DELL]):
        code, out, err = agent(capsys, "once", probe, "--json", *more)
        run = json.loads(out)
        assert (code, err) == (0, "")
        assert run["probe"] == probe
        assert re.fullmatch(r"[0-9a-f]{16}-1", run["id"])
        assert set(run) <= set(Run.__dataclass_fields__)


def test_once_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A table with short numbers, units and the disk or card they belong to; no colour in a pipe."""
    code, out, _ = agent(capsys, "once", "usage", "--replay", DELL)
    assert code == 0
    assert "usage: ok" in out.splitlines()[0]
    assert "  usage.cpu_percent                       40 %" in out
    assert "  usage.disk_total{mount=/srv/du lieu}    915.5 GiB" in out
    assert "\x1b" not in out
    _, out, _ = agent(capsys, "once", "interfaces", "--replay", DELL)
    assert "    speed_bps      100.0 Mbit/s" in out
    assert "    virtual        no" in out


def test_colours_only_on_a_terminal() -> None:
    """A terminal gets them, unless NO_COLOR is set."""
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "hatang_agent", "once", "hardware", "--replay", DELL]
        done = subprocess.run(command, stdout=slave, env={**ENVIRONMENT, **more}, check=False, timeout=30)
        os.close(slave)
        text = os.read(master, 10_000).decode()
        os.close(master)
        assert done.returncode == 0
        assert ("\x1b[32mok\x1b[0m" in text) is coloured


def test_settings_on_the_command_line_and_in_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """--set wins over the file, which wins over the default."""
    file = tmp_path / "agent.toml"
    file.write_text("[probes.usage]\nmax_disks = 1\nfirst_reading_s = 0\n")
    _, out, _ = agent(capsys, "once", "usage", "--replay", DELL, "--config", str(file))
    assert (out.count("disk_total"), "cpu_percent" in out) == (1, False)
    _, out, _ = agent(
        capsys,
        "once",
        "usage",
        "--replay",
        DELL,
        "--config",
        str(file),
        "--set",
        "max_disks=0",
        "--set",
        "first_reading_s=1",
    )
    assert (out.count("disk_total"), "cpu_percent" in out) == (0, True)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["once", "usge"], "hatang-agent once: no probe 'usge'; there are: "),
        (
            ["once", "usage", "--set", "max_disks"],
            "hatang-agent once: --set max_disks: no value; write --set max_disks=VALUE",
        ),
        (
            ["once", "usage", "--set", "max_disk=1"],
            "hatang-agent once: --set max_disk=1: unknown key 'max_disk' in [probes.usage]; did you mean",
        ),
        (
            ["once", "usage", "--set", "max_disks=x"],
            "hatang-agent once: --set max_disks=x: 'max_disks' in [probes.usage] is 'x'; give a whole number",
        ),
        (
            ["once", "usage", "--set", "max_disks=65"],
            "hatang-agent once: --set: 'max_disks' is 65; give at most 64",
        ),
        (
            ["once", "system", "--set", "host_name=plain"],
            "hatang-agent once: --set host_name=plain: unknown key 'host_name'",
        ),
        (
            ["once", "usage", "--replay", "/nowhere"],
            "hatang-agent once: /nowhere/meta.json: not found; name the folder",
        ),
        (
            ["once", "usage", "--config", "/nowhere"],
            "hatang-agent once: /nowhere: cannot be read (No such file or directory)",
        ),
        (["check-config"], "hatang-agent check-config: no file named; give one"),
        (["check-config", "/nowhere"], "hatang-agent check-config: /nowhere: cannot be read"),
    ],
)
def test_mistakes_are_one_line_and_exit_with_2(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    """The place, the cause and the next step; nothing on standard output."""
    code, out, err = agent(capsys, *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(message)


@pytest.mark.parametrize(
    "argv", [[], ["nonsense"], ["once"], ["list", "--nonsense"], ["fields", "--lang", "fr"]]
)
def test_bad_usage_exits_with_2(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    """Argparse's own message, its usual code."""
    code, out, err = agent(capsys, *argv)
    assert (code, out) == (2, "")
    assert "error:" in err


def test_a_failed_probe_exits_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is printed with its reason and what to do."""

    def broken(context: Context) -> Result:
        raise registry.ProbeError("the modem is mute", "plug it in")

    probe = registry.probes()["usage"]
    failing = SimpleNamespace(
        **{name: getattr(probe, name) for name in probe.__dataclass_fields__} | {"measure": broken}
    )
    monkeypatch.setattr(registry, "probes", lambda: {"usage": failing})
    code, out, _ = agent(capsys, "once", "usage")
    assert (code, out.splitlines()[1]) == (1, "  the modem is mute; plug it in")


def test_no_data_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """What does not exist cannot be broken."""
    code, out, _ = agent(capsys, "once", "usage", "--replay", str(CASES / "nothing-recorded"))
    assert (code, out.startswith("usage: no_data")) == (0, True)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Every probe, for people and programs."""
    _, out, _ = agent(capsys, "list")
    _, as_json, _ = agent(capsys, "list", "--json")
    names = [row["name"] for row in json.loads(as_json)]
    assert names == list(registry.probes())
    assert [line.split()[0] for line in out.splitlines()] == names


def test_fields_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    """Vietnamese unless asked otherwise; samples, facts and the envelope; what is never collected."""
    _, out, _ = agent(capsys, "fields")
    assert "usage.cpu_percent" in out
    assert "Mức dùng bộ xử lý (%)" in out
    assert "Report.agent" in out
    assert "Không bao giờ thu thập: tên đăng nhập" in out
    _, english, _ = agent(capsys, "fields", "--lang", "en")
    assert "processor in use (%)" in english
    assert not re.search("[ạảấầẩậắằẳặẹẻẽếềểệịọỏốồổộớờởợụủứừửựỵ]", english)
    _, as_json, _ = agent(capsys, "fields", "--json")
    listed = json.loads(as_json)
    assert {one["kind"] for one in listed} == {"sample", "fact", "envelope"}
    assert all(one["vi"] and one["en"] for one in listed)


def test_sample_config_is_accepted_by_check_config(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What the one prints, the other takes; a mistake in it is told with its line."""
    _, text, _ = agent(capsys, "sample-config")
    file = tmp_path / "agent.toml"
    file.write_text(text)
    assert agent(capsys, "check-config", str(file)) == (0, f"{file}: ok\n", "")
    assert agent(capsys, "check-config", "--config", str(file))[0] == 0
    file.write_text(text.replace("#max_disks = 8", "max_disks = -1"))
    code, _, err = agent(capsys, "check-config", str(file))
    line = text.splitlines().index("#max_disks = 8") + 1
    assert (code, err) == (
        2,
        f"hatang-agent check-config: {file}:{line}: 'max_disks' is -1; give at least 0\n",
    )


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has its line in the list and examples in its own help; --version tells."""
    code, out, _ = agent(capsys, "--help")
    assert code == 0
    assert "examples:" in out
    for name in program.command_names():
        assert re.search(rf"^    {name}", out, re.MULTILINE)
        code, text, _ = agent(capsys, name, "--help")
        assert code == 0
        assert f"hatang-agent {name}" in re.split("[Ee]xamples:", text, maxsplit=1)[-1]
        assert "--config FILE" in text
        assert "--state DIR" in text
    assert agent(capsys, "--version") == (0, f"hatang-agent {__version__}\n", "")


def test_ctrl_c_is_quiet() -> None:
    """An interrupted command ends at once, without a traceback."""
    command = [sys.executable, "-m", "hatang_agent", "once", "usage", "--set", "first_reading_s=10"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        until(lambda: _threads(process.pid) > 1, what="the probe is running")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, b"", b"")


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_a_reader_that_leaves_is_no_error() -> None:
    """`hatang-agent fields | head -1` prints one line and nothing else."""
    command = f"{sys.executable} -m hatang_agent fields | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)


def test_a_file_in_the_way_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An error of the system names its place instead of a traceback."""
    (tmp_path / "meta.json").write_text('{"platform": "linux"}')
    (tmp_path / "commands.json").mkdir()
    code, out, err = agent(capsys, "once", "usage", "--replay", str(tmp_path))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(tmp_path / "commands.json") in err


def test_a_known_command_loads_only_itself() -> None:
    """The resident agent does not carry the modules of other commands, nor heavy libraries."""
    code = (
        "import sys; from hatang_agent import __main__ as m; m.build_parser(['once', 'usage']);"
        "print([n for n in sys.modules if n.startswith('hatang_agent.commands.')],"
        "sorted({'asyncio', 'urllib.request', 'psutil', 'sqlite3', 'paho'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert done.stdout.strip() == "['hatang_agent.commands.once'] []"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "", "0"),
        (41.25, "%", "41.2 %"),
        (1024, "B", "1.0 KiB"),
        (8_247_840_768, "B", "7.7 GiB"),
        (999, "bit/s", "999 bit/s"),
        (94_200_000, "bit/s", "94.2 Mbit/s"),
        (5, "s", "5 s"),
    ],
)
def test_quantities(value: float, unit: str, text: str) -> None:
    """Bytes by 1024, bits by 1000, other units as they are."""
    assert once.quantity(value, unit) == text
