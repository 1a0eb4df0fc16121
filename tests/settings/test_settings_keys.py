"""The generated list of keys is what agents take, and says of each what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from hatang_agent import config, registry, settingsdoc
from hatang_agent.config import AgentConfig
from hatang_agent.registry import Context, Probe, Result
from hatang_agent.strictconfig import ConfigError
from hatang_collector.domain.settings import (
    REPORT_KEY,
    ROLES,
    Effective,
    Key,
    Kind,
    check,
    content,
    report_interval_ms,
)
from hatang_collector.settings_keys import FILE, keys

NAMES = list(keys())


class Way(StrEnum):
    """How to ask."""

    ICMP = "icmp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Target:
    """A table of its own."""

    address: str = ""


@dataclass(frozen=True, slots=True)
class NewConfig:
    """Settings of a probe that does not exist yet."""

    way: Way = field(default=Way.TCP, metadata={"help": "how to ask"})
    ports: tuple[int, ...] = field(default=(80, 443), metadata={"help": "ports"})
    community: str = field(default="public", metadata={"help": "a secret", "local": True})
    host_name: str = field(default="off", metadata={"help": "policy"})
    targets: tuple[Target, ...] = ()
    tries: int | None = field(default=None, metadata={"help": "tries", "minimum": 1})


def _measure(_: Context) -> Result:
    return Result()


def newcomer(interval_s: float = 30) -> Mapping[str, Probe]:
    """A probe of the future."""
    probe = Probe("new", "", NewConfig, interval_s, 5, frozenset({"probe"}), (), _measure)
    return {"new": probe}


def test_the_file_is_fresh() -> None:
    """What is committed is what the code gives."""
    assert FILE.read_text(encoding="utf-8") == settingsdoc.page(registry.probes())


def test_check_fails_when_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--check`` is 0 on the file it wrote and 1 after a change or without a file."""
    path = tmp_path / "keys.json"
    for arguments, code in (([], 0), (["--check"], 0)):
        monkeypatch.setattr("sys.argv", ["settingsdoc", str(path), *arguments])
        assert settingsdoc.main() == code
    path.write_text(path.read_text().replace("60", "61"))
    assert settingsdoc.main() == 1
    path.unlink()
    assert settingsdoc.main() == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("role", ROLES)
def test_an_agent_takes_every_key_with_its_default(name: str, role: str) -> None:
    """The default of each key passes our check, then the agent's, and changes nothing there."""
    key = keys()[name]
    value = check(key, key.defaults[role])
    probes = registry.probes()
    applied = config.with_remote(AgentConfig(), content({name: Effective(value, "all")}), probes)

    for probe in probes.values():
        before = config.plan(AgentConfig(), probe, role)
        assert config.plan(applied, probe, role).config == before.config
        assert config.plan(applied, probe, role).interval_s == before.interval_s
    assert config.rhythm(applied, role) == config.rhythm(AgentConfig(), role)


@pytest.mark.parametrize("name", [name for name in NAMES if keys()[name].minimum is not None])
def test_bounds_are_the_agents(name: str) -> None:
    """What is just outside is refused by both sides."""
    key = keys()[name]
    assert key.minimum is not None
    outside = key.minimum - 1
    with pytest.raises(ValueError, match="give at least"):
        check(key, outside)
    with pytest.raises(ConfigError, match="give at least"):
        config.with_remote(AgentConfig(), content({name: Effective(outside, "all")}), registry.probes())


def test_everything_an_agent_may_be_steered_by_is_listed() -> None:
    """Each rhythm and each probe is there; sections of the agent's own file are not."""
    assert {"schedule.sample_s", "reporting.report_s", "reporting.beat_s", "reporting.keepalive_s"} <= set(
        NAMES
    )
    for probe in registry.probes():
        assert f"probes.{probe}.enabled" in NAMES
        assert f"probes.{probe}.interval_s" in NAMES
    assert {name.partition(".")[0] for name in NAMES} == {"schedule", "reporting", "probes"}
    assert not [name for name in NAMES if "host_name" in name or "privacy" in name]


def test_a_new_probes_keys_come_by_themselves() -> None:
    """Choices and lists too; secrets, policy and tables do not."""
    found = {one["key"]: one for one in settingsdoc.keys(newcomer())}
    own = {name.removeprefix("probes.new."): one for name, one in found.items() if "new" in name}
    assert set(own) == {"enabled", "interval_s", "way", "ports", "tries"}
    assert own["way"]["choices"] == ["icmp", "tcp"]
    assert own["way"]["defaults"] == {"pc": "tcp", "probe": "tcp"}
    assert (own["ports"]["kind"], own["ports"]["items"]) == ("list", "int")
    assert own["ports"]["defaults"]["pc"] == [80, 443]
    assert (own["tries"]["kind"], own["tries"]["minimum"]) == ("int", 1)
    assert own["enabled"]["defaults"] == {"pc": False, "probe": True}
    assert own["enabled"]["roles"] == ["probe"]
    assert "follows" not in own["interval_s"]
    assert json.loads(settingsdoc.page(newcomer()))["keys"] == list(found.values())


def test_a_sampling_probe_follows_the_samples() -> None:
    """Its interval is that of the role's rhythm unless somebody sets it."""
    found = {one["key"]: one for one in settingsdoc.keys(newcomer(interval_s=60))}
    interval: dict[str, Any] = found["probes.new.interval_s"]
    assert interval["follows"] == "schedule.sample_s"
    assert interval["defaults"] == {"pc": 60, "probe": 5}


def test_the_defaults_of_reports_are_the_agents() -> None:
    """Freshness without any setting counts on the agent's own interval."""
    key: Key = keys()[REPORT_KEY]
    assert key.kind is Kind.FLOAT
    for role in ROLES:
        assert report_interval_ms({}, role) == key.defaults[role] * 1000
