"""What the probes measure here agrees with what independent commands of the system say."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from hatang_agent import config, registry
from hatang_agent.runner import Runner
from hatang_agent.system import LocalSystem
from hatang_agent.wire.report import Run, Status

PROBES = registry.probes()


def measured(name: str, runner: Runner | None = None) -> Run:
    """One run of a probe on this machine."""
    chosen = config.plan(config.AgentConfig(), PROBES[name], "pc").config
    run = (runner or Runner(LocalSystem(), lambda: "0" * 16 + "-1")).execute(PROBES[name], chosen)
    assert run.status is Status.OK
    return run


def values(run: Run, **tags: str) -> dict[str, float]:
    """Samples with exactly these tags by the last part of their name."""
    return {one.name.split(".")[1]: one.value for one in run.samples if dict(one.tags) == tags}


def facts(run: Run, kind: str) -> dict[str, dict[str, Any]]:
    """Facts of a kind by key."""
    return {fact.key: dict(fact.fields) for fact in run.facts if fact.kind == kind}


def output(*argv: str) -> str:
    """What a command prints."""
    environ = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=environ).stdout


def test_processor_as_lscpu_says() -> None:
    """Name, cores and threads."""
    said = {
        row["field"].strip(": "): row["data"] for row in _rows(json.loads(output("lscpu", "-J"))["lscpu"])
    }
    found = facts(measured("hardware"), "cpu")[""]
    assert found["threads"] == int(said["CPU(s)"])
    assert found["name"] == said["Model name"]
    assert found["cores"] == int(said["Core(s) per socket"]) * int(said["Socket(s)"])


def _rows(tree: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of lscpu's tree, flat."""
    return [row for node in tree for row in (node, *_rows(node.get("children", [])))]


def test_memory_as_free_says() -> None:
    """Total exactly; used within a share of what programs may take meanwhile."""
    row = re.search(r"Mem: +(\d+) +\d+ +\d+ +\d+ +\d+ +(\d+)", output("free", "-b"))
    assert row is not None
    total, available = int(row[1]), int(row[2])
    found = values(measured("usage"))
    assert found["memory_total"] == total == facts(measured("hardware"), "computer")[""]["memory_total"]
    assert found["memory_used"] == pytest.approx(total - available, abs=total * 0.05)
    assert found["memory_percent"] == pytest.approx(100 * found["memory_used"] / total, abs=0.1)


def test_disks_as_df_says() -> None:
    """The root file system's size and use, as a person sees them with df."""
    size, used, available = (
        int(word) * 1024 for word in output("df", "-P", "-k", "/").splitlines()[1].split()[1:4]
    )
    found = values(measured("usage"), mount="/")
    assert found["disk_total"] == size
    assert found["disk_used"] == pytest.approx(used, abs=256 << 20)
    assert found["disk_percent"] == pytest.approx(100 * used / (used + available), abs=0.5)


def test_the_processor_load_is_a_real_number() -> None:
    """The first run has a load already, and the second one measures since the first."""
    runner = Runner(LocalSystem(), lambda: "0" * 16 + "-1")
    first, second = measured("usage", runner), measured("usage", runner)
    assert 0 <= values(first)["cpu_percent"] <= 100
    assert first.took_ms >= 500 > second.took_ms


def test_counters_as_ip_says() -> None:
    """Adapters, addresses and counters lie between two answers of ip -s link."""
    before = {one["ifname"]: one for one in json.loads(output("ip", "-s", "-j", "link"))}
    runner = Runner(LocalSystem(), lambda: "0" * 16 + "-1")
    run = measured("interfaces", runner)
    after = {one["ifname"]: one for one in json.loads(output("ip", "-s", "-j", "link"))}
    found = facts(run, "nic")
    real = [name for name, fields in found.items() if not fields["virtual"]]
    for name in real:
        assert found[name]["mac"] == after[name]["address"]
        assert found[name]["up"] == (after[name]["operstate"] == "UP")
        for field, direction in (("rx_bytes", "rx"), ("tx_bytes", "tx")):
            low, high = (one[name]["stats64"][direction]["bytes"] for one in (before, after))
            if found[name]["up"]:
                assert low <= values(run, interface=name)[field] <= high
    if len(found) - len(real) < 8:  # of many virtual adapters not all are listed
        assert found["lo"]["virtual"] is True
    assert [one for one in run.samples if one.tags.get("interface") == "lo"] == []


def test_addresses_and_gateway_as_ip_says() -> None:
    """IPv4 addresses of each adapter and the default gateway."""
    found = facts(measured("interfaces"), "nic")
    for one in json.loads(output("ip", "-j", "addr")):
        said = sorted(info["local"] for info in one["addr_info"] if info["family"] == "inet")[:4]
        if one["ifname"] in found:
            assert found[one["ifname"]].get("ipv4", "") == ",".join(said)
    for route in json.loads(output("ip", "-j", "route", "show", "default")):
        assert found[route["dev"]]["gateway"] == route["gateway"]


def test_system_as_uname_says() -> None:
    """Kernel, architecture, boot and uptime."""
    run = measured("system")
    found = facts(run, "os")[""]
    assert (found["kernel"], found["arch"]) == (output("uname", "-r").strip(), output("uname", "-m").strip())
    with open("/proc/uptime", encoding="ascii") as file:  # noqa: PTH123 - the independent way on purpose
        assert values(run)["uptime_s"] == pytest.approx(float(file.read().split()[0]), abs=5)
    assert "host_name" not in found
