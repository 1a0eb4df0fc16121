"""What the agent's settings mean: defaults by role, probes' plans, steering from afar, folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatang_agent import config, registry
from hatang_agent.config import AgentConfig, HostName, PrivacySection
from hatang_agent.strictconfig import ConfigError
from hatang_agent.system import LocalSystem

PROBES = registry.probes()


class Machine(LocalSystem):
    """This machine with other rights and environment."""

    def __init__(self, *, root: bool, environ: dict[str, str], platform: str = "linux") -> None:
        super().__init__()
        self._is_root = root
        self.environ = environ
        self.platform = platform

    def privileged(self) -> bool:
        return self._is_root


def test_rhythms_follow_the_role_and_the_file() -> None:
    """An office PC reports each five minutes, a site probe each 15 s; the file's own value wins."""
    assert config.rhythm(AgentConfig(), "pc") == config.Rhythm(60, 300, 600, 600, 20_000_000)
    assert config.rhythm(AgentConfig(), "probe") == config.Rhythm(5, 15, 2, 10, 128_000_000)
    changed = config.load("[reporting]\nreport_s = 30\n[outbox]\nmax_mb = 1.5", "x", {}, PROBES)
    assert config.rhythm(changed, "probe") == config.Rhythm(5, 30, 2, 10, 1_500_000)


def test_a_plan_has_the_probes_own_settings() -> None:
    """Common keys and the probe's own are told apart and typed."""
    found = config.load("[probes.usage]\nenabled = false\ninterval_s = 7\nmax_disks = 2", "x", {}, PROBES)
    plan = config.plan(found, PROBES["usage"], "pc")
    assert (plan.enabled, plan.interval_s, plan.config.max_disks) == (False, 7, 2)


def test_intervals_follow_the_role() -> None:
    """Sampling probes run each 60 s on a PC and each 5 s on a site probe, inventories once a day."""
    intervals = {
        role: {name: config.plan(AgentConfig(), probe, role).interval_s for name, probe in PROBES.items()}
        for role in ("pc", "probe")
    }
    assert (intervals["pc"]["usage"], intervals["probe"]["usage"]) == (60, 5)
    assert intervals["pc"]["hardware"] == intervals["probe"]["hardware"] == 86_400


def test_only_privacy_decides_on_the_host_name() -> None:
    """The policy and the agent's key reach the probe; neither can be set in its own table."""
    plain = AgentConfig(privacy=PrivacySection(HostName.PLAIN))
    chosen = config.plan(plain, PROBES["system"], "pc", host_name_key=b"\x01").config
    assert (chosen.host_name, chosen.host_name_key) == ("plain", "01")
    assert config.plan(AgentConfig(), PROBES["system"], "pc").config.host_name == "hmac"
    with pytest.raises(ConfigError, match="unknown key 'host_name'"):
        config.with_remote(AgentConfig(), {"probes": {"system": {"host_name": "plain"}}}, PROBES)


def test_a_signed_configuration_changes_rhythm_and_probes_only() -> None:
    """Steering from afar lies on top of the file; everything else is refused by name."""
    local = config.load("[schedule]\nfirst_spread_s = 9\n[probes.usage]\nmax_disks = 3", "x", {}, PROBES)
    content = {"schedule": {"sample_s": 10}, "probes": {"usage": {"enabled": False}, "of_tomorrow": {"a": 1}}}
    changed = config.with_remote(local, content, PROBES)
    assert (changed.schedule.sample_s, changed.schedule.first_spread_s) == (10, 9)
    plan = config.plan(changed, PROBES["usage"], "pc")
    assert (plan.enabled, plan.config.max_disks) == (False, 3)
    for name in ("privacy", "agent", "outbox"):
        with pytest.raises(ConfigError, match=f"signed configuration: unknown key '{name}'"):
            config.with_remote(local, {name: {}}, PROBES)


@pytest.mark.parametrize(
    "content", [{"schedule": 5}, {"probes": []}, {"probes": {"usage": 1}}, {"schedule": {"sample_s": -1}}]
)
def test_a_broken_signed_configuration_is_refused(content: dict[str, object]) -> None:
    """Wrong shapes are a ConfigError and leave the settings as they were."""
    with pytest.raises(ConfigError, match=r"^signed configuration: "):
        config.with_remote(AgentConfig(), content, PROBES)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (Machine(root=True, environ={}), "/var/lib/hatang-agent"),
        (Machine(root=False, environ={"HOME": "/home/a"}), "/home/a/.local/state/hatang-agent"),
        (Machine(root=False, environ={"HOME": "/home/a", "XDG_STATE_HOME": "/s"}), "/s/hatang-agent"),
        (Machine(root=False, environ={"PROGRAMDATA": "/pd"}, platform="windows"), "/pd/hatang-agent"),
    ],
)
def test_the_state_folder(machine: Machine, expected: str) -> None:
    """Without a choice the folder follows who runs the agent; a choice always wins."""
    assert config.state_dir(AgentConfig(), machine) == Path(expected)
    assert config.state_dir(AgentConfig(), machine, Path("/x")) == Path("/x")
    named = config.load('[agent]\nstate_dir = "/y"', "x", {}, PROBES)
    assert config.state_dir(named, machine) == Path("/y")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is not UTF-8 are told with the path."""
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none.toml", tmp_path, binary):
        with pytest.raises(ConfigError, match=f"^{path}: cannot be read \\(.*\\); check"):
            config.load_file(path, Machine(root=False, environ={}), PROBES)
