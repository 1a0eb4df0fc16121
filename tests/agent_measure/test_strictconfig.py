"""Settings are read strictly, and every mistake is told with its line."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent import config, registry, strictconfig
from hatang_agent.strictconfig import ConfigError, Place

BAD = sorted((Path(__file__).parent / "bad_config").glob("*.toml"))


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Broker:
    host: str
    port: int = 8883
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inner:
    ratio: float = 0.5
    colour: Colour = Colour.RED
    path: Path = Path("data")
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.ratio == 1:
            raise ValueError("ratio 1 makes no sense; choose another")


@dataclass(frozen=True, slots=True)
class Root:
    verbose: bool = field(default=False, metadata={"help": "say more"})
    inner: Inner = Inner()
    brokers: tuple[Broker, ...] = ()
    free: dict[str, Any] = field(default_factory=dict)


def load(text: str, environ: dict[str, str] | None = None) -> Root:
    """Settings of the test's own shape."""
    return strictconfig.load(Root, text, "a.toml", environ)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_mistake_has_its_line(path: Path) -> None:
    """Every bad file gives exactly the documented line, with the place where the mistake is."""
    with pytest.raises(ConfigError) as caught:
        config.load(path.read_text(), "agent.toml", {}, registry.probes())
    assert str(caught.value) == path.with_suffix(".error").read_text().strip()


def test_every_kind_of_value_is_read() -> None:
    """Tables, arrays of tables, enums, paths, lists and free tables arrive typed."""
    found = load(
        'verbose = true\n[inner]\nratio = 2\ncolour = "blue"\npath = "/srv"\nlimit = 3\n'
        '[[brokers]]\nhost = "a"\n[[brokers]]\nhost = "b"\nport = 1\nnames = ["x", "y"]\n[free.x]\ny = 1\n'
    )
    inner = Inner(2.0, Colour.BLUE, Path("/srv"), 3)
    assert found == Root(True, inner, (Broker("a"), Broker("b", 1, ("x", "y"))), {"x": {"y": 1}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[[brokers]]\nhost = "a"\n\n[[brokers]]\nport = 2',
            "a.toml:4: missing key 'host' in [[brokers]]; add it",
        ),
        (
            '[[brokers]]\nhost = "a"\n[[brokers]]\nhost = 5',
            "a.toml:4: 'host' in [[brokers]] is 5; give text in quotes",
        ),
        (
            "[brokers]\nx = 1",
            "a.toml:1: 'brokers' in the top level must be a list of tables; write [[brokers]]",
        ),
        (
            '[[brokers]]\nhost="a"\nnames="x"',
            "a.toml:3: 'names' in [[brokers]] must be a list; put it in square brackets",
        ),
        ("[inner]\nratio = 1.0", "a.toml:1: [inner]: ratio 1 makes no sense; choose another"),
        ("x = 1", "a.toml:1: unknown key 'x' in the top level; known are brokers, free, inner, verbose"),
    ],
)
def test_mistakes_in_lists_and_checks(text: str, message: str) -> None:
    """The right item of a list of tables is named, and a dataclass's own check gets a line."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert str(caught.value) == message


def test_environment_wins_over_the_file() -> None:
    """HATANG_<SECTION>_<KEY> overrides, typed; other variables are nobody's business."""
    environ = {
        "HATANG_INNER_RATIO": "4",
        "HATANG_VERBOSE": "yes",
        "HATANG_FIELD_DATA": "x",
        "HATANG_INNER_PATH": "p",
    }
    found = load("verbose = false\n[inner]\nratio = 2", environ)
    assert (found.verbose, found.inner.ratio, found.inner.path) == (True, 4.0, Path("p"))


def test_lists_from_the_environment() -> None:
    """Comma-separated, spaces around the commas do not matter."""
    assert strictconfig.from_text(tuple[int, ...], "1, 2,,3", Place("x", ""), "k") == (1, 2, 3)
    with pytest.raises(ConfigError, match=r"^x: 'k' in the top level is 'b'; give a whole number$"):
        strictconfig.from_text(tuple[int, ...], "1,b", Place("x", ""), "k")


@pytest.mark.parametrize(
    "variable", ["HATANG_INNER_RATIO", "HATANG_INNER_LIMIT", "HATANG_INNER_COLOUR", "HATANG_VERBOSE"]
)
def test_a_bad_environment_variable_is_named(variable: str) -> None:
    """The message names the variable, because no file has a line for it."""
    with pytest.raises(ConfigError, match=f"^environment variable {variable}: .*; (give|choose) "):
        load("", {variable: "many"})


def test_the_sample_is_valid_and_changes_nothing() -> None:
    """The sample file as printed equals no file at all."""
    probes = registry.probes()
    text = config.sample_text(probes)
    assert config.load(text, "sample", {}, probes).agent == config.AgentConfig().agent
    plans = [config.plan(config.load(text, "sample", {}, probes), probe, "pc") for probe in probes.values()]
    assert plans == [config.plan(config.AgentConfig(), probe, "pc") for probe in probes.values()]


def test_every_line_of_the_sample_can_be_uncommented() -> None:
    """Taking the # off any key gives a file that is accepted, with a comment above each key."""
    probes = registry.probes()
    lines = config.sample_text(probes).splitlines()
    live = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in lines
    )
    config.load(live, "sample", {}, probes)
    assert tomllib.loads(live)["schedule"]["sample_s"] == 60
    for at, line in enumerate(lines):
        if line.startswith("#") and not line.startswith("# "):
            assert lines[at - 1].startswith("# "), f"no explanation above {line}"


def test_a_sample_of_lists_of_tables_is_commented_out() -> None:
    """Arrays of tables are shown as an example, not switched on."""
    text = strictconfig.sample(Root)
    assert "# [[brokers]]" in text
    assert "# say more\n#verbose = false" in text


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is settings or a ConfigError of one line, never another exception."""
    message = ""
    try:
        load(text)
    except ConfigError as error:
        message = str(error)
    assert "\n" not in message
    assert message == "" or message.startswith("a.toml")


@given(st.text(max_size=100), st.lists(st.one_of(st.text(max_size=5), st.integers(0, 3)), max_size=4))
def test_finding_a_line_never_fails(text: str, path: list[str | int]) -> None:
    """A place has a line inside the text or none."""
    line = strictconfig.line_of(text, path)
    assert line is None or 1 <= line <= len(text.splitlines())
    assert isinstance(Place("x", text, tuple(path)).error("y"), ConfigError)
