"""Keeps people out of free text: what a program printed, why something failed.

Probes choose what they send field by field. Where they pass on words that others wrote (the evidence
of a verdict, the message of an error) nobody can know what is in them. So the runner takes out of all
free text: addresses of mail, everything below folders that are named after people, the name of this
machine, and the names of those folders themselves.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from hatang_agent.registry import Result
from hatang_agent.system import System
from hatang_agent.wire.report import Fact, RunError, Scalar

FREE_TEXT: Final = frozenset({"evidence", "why", "how", "reason", "detail"})
"""Fact fields that carry words of others, also as the end of a longer name (``health_reason``)."""
INSTEAD: Final = "…"

_SHORTEST: Final = 3
_PROFILES: Final = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList"
# Names of folders for people that every machine has, and words of our own texts.
_NOBODY: Final = frozenset(
    {
        *("administrator", "admin", "default", "defaultuser0", "guest", "public", "shared", "user"),
        *("users", "root", "system", "localhost", "networkservice", "localservice", "systemprofile"),
    }
)
_HOME: Final = r"(?:/home/|/Users/|/media/|/run/media/|[A-Za-z]:\\+(?:Users|Documents and Settings)\\+)"
_PATTERNS: Final = (
    re.compile(rf"{_HOME}[^\"'|;,:<>\r\n]*", re.IGNORECASE),
    # An address of mail ends in a domain; units of systemd (clamd@scan.service) are none.
    re.compile(
        r"[\w.+%-]+@(?:[\w-]+\.)+(?!(?:service|socket|timer|target|mount|device|slice|scope|path|swap)\b)"
        r"[A-Za-z]{2,}"
    ),
)


def scrub(text: str, words: Iterable[str] = ()) -> str:
    """The text without people; ``words`` are names that must not be in it, in any case. Pure."""
    for pattern in _PATTERNS:
        text = pattern.sub(INSTEAD, text)
    for word in sorted(words, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", INSTEAD, text, flags=re.IGNORECASE)
    return text


def private_words(system: System) -> frozenset[str]:
    """The machine's name and those of the folders of people on it; they are never sent from here."""
    names = {system.host_name(), system.host_name().partition(".")[0], *_people(system)}
    return frozenset(
        name
        for name in names
        if len(name) >= _SHORTEST and name.lower() not in _NOBODY and not name.isdigit()
    )


def _people(system: System) -> Iterator[str]:
    if system.platform == "windows":
        for key in system.registry_keys(_PROFILES):
            path = str((system.registry(rf"{_PROFILES}\{key}") or {}).get("ProfileImagePath", ""))
            yield re.split(r"[\\/]", path)[-1]
        return
    with contextlib.suppress(PermissionError):
        yield from system.list_dir("/Users" if system.platform == "macos" else "/home")


def scrubbed(result: Result, system: System) -> Result:
    """A probe's result without people in its free text, nor mail and folders of people in any text."""
    if not any(isinstance(value, str) for fact in result.facts for value in fact.fields.values()):
        return result
    words = private_words(system)
    return replace(result, facts=[_fact(fact, words) for fact in result.facts])


def scrubbed_error(error: RunError | None, system: System) -> RunError | None:
    """An error without people in it."""
    if error is None:
        return None
    words = private_words(system)
    return RunError(scrub(error.message, words), scrub(error.hint, words))


def _fact(fact: Fact, words: frozenset[str]) -> Fact:
    return replace(fact, fields={name: _value(name, value, words) for name, value in fact.fields.items()})


def _value(name: str, value: Scalar, words: frozenset[str]) -> Scalar:
    if not isinstance(value, str):
        return value
    return scrub(value, words if name.rpartition("_")[2] in FREE_TEXT else ())
