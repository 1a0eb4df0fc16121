"""The house rules that no linter of others can hold: read from the code itself, so nothing is forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SHARED = ("wire", "net", "registry", "strictconfig")
OS_SUFFIXES = ("_linux", "_windows", "_macos")
CLOCKS = {
    "time": {
        "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
        "process_time_ns", "thread_time", "localtime", "clock_gettime", "clock_gettime_ns", "ctime", "sleep",
    },
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}  # fmt: skip
MAY_READ_CLOCKS = ("agent/hatang_agent/system*.py", "collector/hatang_collector/clock.py")
LONGEST = {"agent": 400, "collector": 400, "deploy": 400, "dashboards": 400, "tests": 450}


@cache
def graph() -> grimp.ImportGraph:
    """Who imports whom, imports inside of functions included."""
    return grimp.build_graph("hatang_agent", "hatang_collector")


def sources(*folders: str) -> list[Path]:
    """Every Python file below folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def plugin_folders() -> list[str]:
    """Every package that is scanned for plugins: named in a text, or asked for its ``__path__``."""
    packages = {name for name in graph().modules if "." in name and graph().find_children(name)}
    return sorted(packages & {name for path in sources("agent", "collector") for name in scanned(tree(path))})


PAGES = ("hatang_collector.web.pages",)
"""Scanned as well, through a loop that :func:`scanned` does not follow."""


def scanned(parsed: ast.Module) -> Iterator[str]:
    """Names a file may scan: its texts, and what it takes ``__path__`` of."""
    imported: dict[str, str] = {}
    for node in ast.walk(parsed):
        if isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(parsed):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute) and node.attr == "__path__":
            yield imported.get(getattr(node.value, "id", ""), "")


def plugin_of(module: str, folder: str) -> str:
    """The plugin a module belongs to, without the name of its system; '' for a private one."""
    name = module.removeprefix(f"{folder}.").partition(".")[0]
    for suffix in OS_SUFFIXES:
        name = name.removesuffix(suffix)
    return "" if name.startswith("_") else name


def test_plugin_folders_are_found() -> None:
    """The scan sees the folders that exist today, so that the next test looks at something."""
    assert plugin_folders() == [
        "hatang_agent.commands",
        "hatang_agent.probes",
        "hatang_collector.commands",
        "hatang_collector.sheets.nouns",
    ]


@pytest.mark.parametrize("folder", [*plugin_folders(), *PAGES])
def test_plugins_of_one_folder_never_import_each_other(folder: str) -> None:
    """A plugin imports its own parts for one system and private modules, which import no plugin."""
    inside = graph().find_descendants(folder)
    crossing = [
        f"{module} imports {imported}"
        for module in sorted(inside)
        for imported in sorted(graph().find_modules_directly_imported_by(module) & inside)
        if plugin_of(imported, folder) and plugin_of(imported, folder) != plugin_of(module, folder)
    ]

    assert crossing == []
    assert len(inside) > 3


def test_the_collector_shares_four_things_with_the_agent() -> None:
    """Every import of the agent by the collector is of wire, net, registry or strictconfig."""
    allowed = tuple(f"hatang_agent.{name}" for name in SHARED)
    crossing = [
        f"{module} imports {imported}"
        for module in sorted(graph().find_descendants("hatang_collector") | {"hatang_collector"})
        for imported in sorted(graph().find_modules_directly_imported_by(module))
        if imported.startswith("hatang_agent")
        and not any(imported == name or imported.startswith(f"{name}.") for name in allowed)
    ]

    assert crossing == []


def clock_reads(path: Path) -> Iterator[str]:
    """Places where a file reads a clock or sleeps."""
    modules = {"time": "time", "datetime": "datetime"}
    parsed = tree(path)
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            modules |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (
                f"{path.name}:{node.lineno}: {name.name}"
                for name in node.names
                if name.name in CLOCKS["time"]
            )
        elif isinstance(node, ast.ImportFrom) and node.module == "datetime":
            modules |= {alias.asname: alias.name for alias in node.names if alias.asname}
    for node in ast.walk(parsed):
        if isinstance(node, ast.Attribute):
            owner = (
                node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            )
            if node.attr in CLOCKS.get(modules.get(owner, owner), ()):
                yield f"{path.name}:{node.lineno}: {owner}.{node.attr}"


def test_clocks_are_read_in_two_places() -> None:
    """Nothing but the agent's system and the collector's clock reads a clock; all others are handed one."""
    allowed = {path for pattern in MAY_READ_CLOCKS for path in ROOT.glob(pattern)}
    reads = [
        read for path in sources("agent", "collector") if path not in allowed for read in clock_reads(path)
    ]

    assert reads == []
    assert [read for path in allowed for read in clock_reads(path)], "the search finds what is there"


@pytest.mark.parametrize(
    "text",
    [
        "import time\nnow = time.time()",
        "from time import monotonic",
        "import time as t\nt.sleep(1)",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime as when\nwhen.utcnow()",
        "from datetime import date\ndate.today()",
    ],
)
def test_a_clock_in_disguise_is_found(text: str, tmp_path: Path) -> None:
    """The search above knows the ways in which a clock is read."""
    path = tmp_path / "some.py"
    path.write_text(text, encoding="utf-8")

    assert list(clock_reads(path)) != []


def test_every_public_module_says_what_it_is() -> None:
    """Each module whose name has no underscore in front begins with a docstring."""
    silent = [
        str(path.relative_to(ROOT))
        for path in sources("agent", "collector", "tests", "deploy", "dashboards")
        if (not path.name.startswith("_") or path.name in {"__init__.py", "__main__.py"})
        and not (ast.get_docstring(tree(path)) or "").strip()
    ]

    assert silent == []


@pytest.mark.parametrize("folder", sorted(LONGEST))
def test_no_file_grows_too_long(folder: str) -> None:
    """A file that nobody can read in one sitting is two files."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(folder)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST[folder]
    }

    assert long == {}
