"""The firewall probe on outputs that real machines gave, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hatang_agent import __main__ as program

Fields = dict[str, Any]
Once = Callable[..., Fields]

NFT = ("nft", "-j", "list", "ruleset")
FIREWALLD = "linux/firewall-fedora_systemctl_status_firewalld.service_ON.txt"


@pytest.fixture
def once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Once:
    """Lays a recording out and gives the fields that ``once firewall --json`` prints for it."""

    def run(
        platform: str, commands: Mapping[Sequence[str], str] | None = None, registry: Sequence[Path] = ()
    ) -> Fields:
        (tmp_path / "meta.json").write_text(json.dumps({"platform": platform, "release": "1"}))
        entries = []
        for number, (argv, text) in enumerate((commands or {}).items()):
            (tmp_path / f"{number}.txt").write_text(text)
            entries.append({"argv": list(argv), "stdout": f"{number}.txt"})
        (tmp_path / "commands.json").write_text(json.dumps(entries))
        (tmp_path / "registry").mkdir(exist_ok=True)
        for path in registry:
            (tmp_path / "registry" / path.name).write_bytes(path.read_bytes())
        assert program.main(["once", "firewall", "--replay", str(tmp_path), "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert (printed["status"], len(printed["facts"])) == ("ok", 1)
        assert (printed["facts"][0]["kind"], printed["facts"][0]["key"]) == ("firewall", "")
        fields: Fields = printed["facts"][0]["fields"]
        return fields

    return run


def text_of(field_data: Path, name: str) -> str:
    """A recorded output."""
    return (field_data / "endpoint" / name).read_text()


def test_windows_7_with_every_profile_off(once: Once, field_data: Path) -> None:
    """Registry only: the profiles as recorded, and the domain network as the one in use."""
    truth = json.loads(text_of(field_data, "expected.json"))["windows firewall 7_firewall"]
    exports = sorted((field_data / "endpoint/windows/registry").glob("7_firewall-*.reg"))
    found = once("windows", registry=exports)
    words = {True: "on", False: "off"}
    assert found["profiles"] == {name: words[truth[name]] for name in ("domain", "private", "public")}
    assert (found["state"], found["why"]) == ("off", "off: domain, private, public")
    assert (found["active_profile"], found["active_state"]) == ("domain", "off")
    assert "domain EnableFirewall=0" in found["evidence"]


def test_each_profile_of_that_registry_alone(once: Once, field_data: Path, tmp_path: Path) -> None:
    """With one key left out its profile cannot be read, and the machine is not off."""
    exports = sorted((field_data / "endpoint/windows/registry").glob("7_firewall-*.reg"))
    some = [path for path in exports if "PublicProfile" not in path.name]
    found = once("windows", registry=some)
    assert found["profiles"] == {"domain": "off", "private": "off", "public": "unreadable"}
    assert found["state"] == "unreadable"


@pytest.mark.parametrize(
    ("argv", "name", "product"),
    [
        (("ufw", "status"), "linux/firewall-ubuntu_ufw_status_ON.txt", "ufw"),
        (("ufw", "status", "verbose"), "jc/generic-ufw.out", "ufw"),
        (("ufw", "status", "verbose"), "jc/ubuntu-18.04-ufw-verbose.out", "ufw"),
        (("systemctl", "status", "firewalld.service"), FIREWALLD, "firewalld"),
        (("iptables", "-L"), "jc/centos-7.7-iptables-filter.out", "firewalld"),
    ],
)
def test_recorded_linux(once: Once, field_data: Path, argv: Sequence[str], name: str, product: str) -> None:
    """Each recorded output alone tells that the firewall is on, and whose it is."""
    found = once("linux", {argv: text_of(field_data, name)})
    assert (found["state"], found["product"], found["profiles"]) == ("on", product, {})
    assert 0 < len(found["evidence"]) <= 500


def test_evidence_of_a_service_is_stable_and_short(once: Once, field_data: Path) -> None:
    """No times, no process numbers, no lines of the log: the fact must not change by itself."""
    found = once("linux", {("systemctl", "status", "firewalld.service"): text_of(field_data, FIREWALLD)})
    assert "Active: active (running)" in found["evidence"]
    for moving in ("1h 16min", "698", "localdomain", "cockpit"):
        assert moving not in found["evidence"]


def test_remarks_of_people_stay_at_home(once: Once, field_data: Path) -> None:
    """What somebody wrote on a rule is not evidence."""
    text = text_of(field_data, "jc/generic-ufw.out")
    assert "nice comment" in text
    assert "comment" not in once("linux", {("ufw", "status"): text})["evidence"]


@pytest.mark.parametrize(
    ("argv", "text", "state"),
    [
        (("ufw", "status"), "Status: inactive\n", "off"),
        (("firewall-cmd", "--state"), "running\n", "on"),
        (("firewall-cmd", "--state"), "not running\n", "off"),
        (("firewall-cmd", "--state"), "Läuft\n", "unreadable"),
        (("ufw", "status"), "Trạng thái: hoạt động\n", "unreadable"),
        (("systemctl", "status", "firewalld.service"), "Unit firewalld.service not found.\n", "unreadable"),
    ],
)
def test_the_word_of_a_manager(once: Once, argv: Sequence[str], text: str, state: str) -> None:
    """Where it is the only source: its own words and nothing like them."""
    assert once("linux", {argv: text})["state"] == state


def test_inactive_service(once: Once, field_data: Path) -> None:
    """The same status, dead; a rule tool that refuses to answer takes the verdict back."""
    dead = text_of(field_data, FIREWALLD).replace("active (running)", "inactive (dead)")
    status = ("systemctl", "status", "firewalld.service")
    assert once("linux", {status: dead})["state"] == "off"
    assert once("linux", {status: dead, NFT: "gibberish"})["state"] == "unreadable"


@pytest.mark.parametrize(
    ("text", "state"), [(None, "on"), ("0\n", "off"), ("2\n", "on"), ("3\n", "unreadable")]
)
def test_recorded_mac(once: Once, field_data: Path, text: str | None, state: str) -> None:
    """The setting as recorded, and its other values."""
    name = "macos/firewall-defaults_read_preferences_com_alf_globalstate.txt"
    argv = ("defaults", "read", "/Library/Preferences/com.apple.alf", "globalstate")
    found = once("macos", {argv: text or text_of(field_data, name)})
    assert found["state"] == state


@pytest.mark.parametrize("platform", ["linux", "windows", "macos"])
def test_nothing_recorded_is_unreadable(once: Once, platform: str) -> None:
    """Never off, never absent: the fact is there and says why it knows nothing."""
    found = once(platform)
    assert found["state"] == "unreadable"
    assert found["why"]
