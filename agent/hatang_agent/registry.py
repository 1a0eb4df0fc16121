"""What a probe is, and how probes are found. Standard library only.

A probe is one module ``probes/foo.py`` (``foo_linux.py``, ``foo_windows.py`` beside it where the
system differs) with these names:

``Config``      frozen dataclass; its fields are the probe's settings, each with a default and
                ``field(metadata={"help": "…"})``; it is the sample configuration
``INTERVAL_S``  default seconds between runs
``DEADLINE_S``  a run that takes longer is recorded as ``timeout``
``ROLES``       the agent roles it runs in by default: ``pc``, ``probe``
``FIELDS``      every sample and fact field that may leave the machine (a run that sends another fails)
``measure``     ``measure(context) -> Result``; raises NoData or ProbeError; never logs its failure

The module's docstring is its documentation page. Nothing else has to be edited to add a probe.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hatang_agent.wire.report import Fact, Sample

if TYPE_CHECKING:
    from hatang_agent.system import System

OS_SUFFIXES = ("_linux", "_windows", "_macos")


class NoData(Exception):  # noqa: N818 - an outcome, not an error
    """The thing measured does not exist here (no battery, no such adapter): the run is ``no_data``."""


class ProbeError(Exception):
    """The run failed; ``hint`` says what a person can do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Field:
    """One value that may leave the machine: a sample ``measurement.field`` or a fact ``kind.field``."""

    name: str
    vi: str
    en: str
    unit: str = ""
    tags: tuple[str, ...] = ()
    fact: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What one run measured."""

    samples: Sequence[Sample] = ()
    facts: Sequence[Fact] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a probe may use.

    ``memory`` lives as long as the agent process and is the probe's own: the former counters, say.
    ``deadline_ms`` is on the clock of ``system.boot_ms()``.
    """

    system: System
    config: Any
    deadline_ms: int
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe module with its names read once."""

    name: str
    doc: str
    config: type[Any]
    interval_s: float
    deadline_s: float
    roles: frozenset[str]
    fields: tuple[Field, ...]
    measure: Callable[[Context], Result]


def modules(package: str) -> dict[str, ModuleType]:
    """The plugin modules of a package by name; private and per-system modules are left out.

    Import errors are not swallowed: a broken plugin stops the program with its own message.
    """
    parent = importlib.import_module(package)
    names = sorted(
        found.name
        for found in pkgutil.iter_modules(parent.__path__)
        if not found.name.startswith("_") and not found.name.endswith(OS_SUFFIXES)
    )
    return {name: importlib.import_module(f"{package}.{name}") for name in names}


def probes(package: str = "hatang_agent.probes") -> Mapping[str, Probe]:
    """Every probe of the package by name."""
    return {name: _probe(name, module) for name, module in modules(package).items()}


def _probe(name: str, module: ModuleType) -> Probe:
    return Probe(
        name=name,
        doc=(module.__doc__ or "").strip(),
        config=module.Config,
        interval_s=module.INTERVAL_S,
        deadline_s=module.DEADLINE_S,
        roles=frozenset(module.ROLES),
        fields=tuple(module.FIELDS),
        measure=module.measure,
    )
