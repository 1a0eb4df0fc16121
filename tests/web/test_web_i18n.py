"""Texts: both languages say the same things, and every text is used and there."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import hatang_collector.web
from hatang_agent.registry import probes
from hatang_collector.web.freshness import State
from hatang_collector.web.i18n import LANGUAGES, language_of, texts
from hatang_collector.web.machine_charts import Span

FOLDER = Path(hatang_collector.web.__file__).parent
KEPT_PREFIXES = ("finding.", "fact.", "value.", "kind.")
"""Beginnings of keys that are made of what agents send."""


def names_in(text: str) -> set[str]:
    """The placeholders of a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_catalogues_have_the_same_keys_and_placeholders() -> None:
    """No language lacks a text or forgets a value in it."""
    vi, en = texts("vi").entries, texts("en").entries
    assert list(vi) == list(en)
    assert {key: names_in(text) for key, text in vi.items()} == {
        key: names_in(text) for key, text in en.items()
    }
    assert all(text.strip() for language in LANGUAGES for text in texts(language).entries.values())


def used_keys() -> set[str]:
    """Keys that templates and modules name in full."""
    sources = [*FOLDER.rglob("*.html"), *FOLDER.rglob("*.py")]
    pattern = re.compile(r"""\bt(?:exts)?(?:\(language\))?\(\s*["']([a-z0-9_.]+)["'](?!\s*~)""")
    return {key for source in sources for key in pattern.findall(source.read_text(encoding="utf-8"))}


def literals() -> set[str]:
    """Every quoted word of templates and modules: a key may stand in a table and be used elsewhere."""
    sources = [*FOLDER.rglob("*.html"), *FOLDER.rglob("*.py")]
    pattern = re.compile(r"""["']([a-z0-9_.]+)["']""")
    return {word for path in sources for word in pattern.findall(path.read_text("utf-8"))}


def composed_prefixes() -> tuple[str, ...]:
    """Beginnings of keys that templates and modules put together: ``t("state." ~ x)``, ``f"state.{x}"``."""
    pattern = re.compile(r"""["']([a-z0-9_.]+\.)["']\s*(?:~|\+)|f["']([a-z0-9_.]+\.)\{""")
    sources = [*FOLDER.rglob("*.html"), *FOLDER.rglob("*.py")]
    found = {one or other for path in sources for one, other in pattern.findall(path.read_text("utf-8"))}
    return (*sorted(found), *KEPT_PREFIXES)


def test_every_key_in_use_exists_and_every_key_is_in_use() -> None:
    """A page never fails for a missing text, and no dead text is translated."""
    keys = set(texts("vi").entries)
    used = used_keys()
    assert used - keys == set()
    composed = {key for key in keys if key.startswith(composed_prefixes())}
    assert keys - used - composed - literals() == set()


def test_composed_keys_are_complete() -> None:
    """Every state, span, right and refusal of a page has its text."""
    keys = set(texts("vi").entries)
    wanted = {f"state.{one}" for one in State} | {f"span.{one}" for one in Span}
    wanted |= {f"user.{one}" for one in ("viewer", "inspector", "admin")}
    wanted |= {f"login.{one}" for one in ("wrong", "throttled")}
    wanted |= {f"password.{one}" for one in ("wrong", "throttled", "differ", "length", "same")}
    sources = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py"))
    kinds = set(re.findall(r'"(forbidden|invalid|unknown_[a-z]+|[a-z]+_away|fault)"', sources))
    wanted |= {f"error.{kind}" for kind in kinds} | {f"error.{kind}.next" for kind in kinds}
    assert wanted - keys == set()


@pytest.mark.parametrize(
    ("cookie", "language"),
    [(None, "vi"), ("", "vi"), ("en", "en"), ("vi", "vi"), ("../../en", "vi"), ("EN", "vi")],
)
def test_unknown_languages_are_vietnamese(cookie: str | None, language: str) -> None:
    """Only the languages there are can be asked for."""
    assert language_of(cookie) == language


def test_everything_an_agent_sends_has_a_text() -> None:
    """A probe's new field is named in both languages before it reaches a page."""
    keys = set(texts("vi").entries)
    for name, probe in probes().items():
        assert f"probe.{name}" in keys
        wanted = {("fact." if field.fact else "value.") + field.name for field in probe.fields}
        wanted |= {f"kind.{field.name.partition('.')[0]}" for field in probe.fields if field.fact}
        assert wanted - keys == set()
