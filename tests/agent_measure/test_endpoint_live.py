"""The inventory of this machine agrees with independent commands; a missing one is a counted skip."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hatang_agent import config, registry
from hatang_agent.probes import hardware, shutdowns_linux
from hatang_agent.runner import Runner
from hatang_agent.system import LocalSystem
from hatang_agent.wire.report import Run

PROBES = registry.probes()
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def output(*argv: str) -> str:
    """What a command prints."""
    return subprocess.run(
        argv, capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": PATH}
    ).stdout


def measured(name: str) -> Run:
    """One run of a probe on this machine."""
    chosen = config.plan(config.AgentConfig(), PROBES[name], "pc").config
    return Runner(LocalSystem(), lambda: "0" * 16 + "-1").execute(PROBES[name], chosen)


def facts(run: Run, kind: str) -> dict[str, dict[str, Any]]:
    """Facts of a kind by key."""
    return {fact.key: dict(fact.fields) for fact in run.facts if fact.kind == kind}


@pytest.mark.needs("util-linux")
def test_disks_as_lsblk_says() -> None:
    """Fixed disks with their size and, where the kernel knows, whether they spin."""
    columns = "NAME,TYPE,RM,SIZE,ROTA,TRAN"
    said = json.loads(output("lsblk", "-J", "-b", "-d", "-o", columns))["blockdevices"]
    fixed = {
        one["name"]: one
        for one in said
        if one["type"] == "disk"
        and not one["rm"]
        and int(one["size"])
        and one["tran"] != "usb"
        and not one["name"].startswith(("zram", "nbd", "drbd"))
    }
    found = facts(measured("hardware"), "disk")
    assert set(found) == set(fixed)
    for name, disk in found.items():
        assert disk["size"] == int(fixed[name]["size"])
        assert disk.get("rotational", fixed[name]["rota"]) == fixed[name]["rota"]
        assert disk["health"] in ("good", "warning", "failing", "unreadable")


@pytest.mark.needs("iproute2")
def test_the_primary_adapter_as_ip_says() -> None:
    """It has the source address that the system takes to leave this network."""
    routes = json.loads(output("ip", "-j", "route", "show", "default"))
    primary = {key: one for key, one in facts(measured("interfaces"), "nic").items() if one["primary"]}
    if not routes:
        assert len(primary) <= 1
        return
    best = min(routes, key=lambda route: route.get("metric", 0))
    (used,) = json.loads(output("ip", "-j", "route", "get", "203.0.113.9"))
    assert list(primary) == [best["dev"]] == [used["dev"]]
    assert used["prefsrc"] in primary[best["dev"]]["ipv4"].split(",")


@pytest.mark.needs("dmidecode")
def test_smbios_as_dmidecode_says() -> None:
    """Maker, BIOS date and UUID; a machine without SMBIOS has none of them."""
    if not Path("/sys/class/dmi/id").is_dir():
        assert "bios_date" not in facts(measured("hardware"), "computer")[""]
        return
    found = facts(measured("hardware"), "computer")[""]
    date = output("dmidecode", "-s", "bios-release-date").strip()
    if parts := re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", date):
        assert found["bios_date"] == f"{parts[3]}-{parts[1]}-{parts[2]}"
    vendor = output("dmidecode", "-s", "system-manufacturer").strip()
    assert found.get("manufacturer", vendor) == vendor
    said = output("dmidecode", "-s", "system-uuid").strip().lower()
    version = re.search(r"SMBIOS (\d+)\.(\d+)", output("dmidecode", "-t", "1"))
    if version and (int(version[1]), int(version[2])) >= (2, 6):
        assert hardware.fingerprint(LocalSystem()).get("smbios_uuid", said) == said


@pytest.mark.needs("wtmpdb or util-linux")
@pytest.mark.needs("utmpdump")
def test_wtmp_as_last_prints_it(tmp_path: Path) -> None:
    """The real `last` on a wtmp with one power cut; the person in it is neither asked for nor read."""
    rows = [
        ("2", "reboot", "~", "2026-11-10T00:10:00"),
        ("7", "nguyenva", "tty2", "2026-11-10T00:12:00"),
        ("1", "shutdown", "~", "2026-11-10T10:00:00"),
        ("2", "reboot", "~", "2026-11-11T00:10:00"),
        ("2", "reboot", "~", "2026-11-12T00:10:00"),
        ("1", "shutdown", "~", "2026-11-12T10:00:00"),
        ("2", "reboot", "~", "2026-11-13T00:10:00"),
    ]
    text = "".join(
        f"[{kind}] [00000] [~~  ] [{who:8}] [{line:12}] [6.1.0-18-amd64      ] [0.0.0.0        ] "
        f"[{at},000000+00:00]\n"
        for kind, who, line, at in rows
    )
    wtmp = tmp_path / "wtmp"
    with wtmp.open("wb") as file:
        subprocess.run(["utmpdump", "-r"], input=text.encode(), stdout=file, check=True, capture_output=False)
    printed = output(*shutdowns_linux.LAST[:4], "-f", str(wtmp), *shutdowns_linux.LAST[4:])
    assert "nguyen" not in printed
    found = shutdowns_linux.from_last(printed)
    assert found == ("wtmp", (1_794_442_200_000,), 1_794_269_400_000)
