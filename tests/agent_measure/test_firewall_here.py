"""The Linux reader beside the real nft and iptables, in a network of the test's own.

Needs root, nft and, for the second half, iptables; skipped and counted without.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AGENT = Path(__file__).parents[2] / "agent"
OPEN = "add chain inet f in { type filter hook input priority 0 ; policy accept ; }"

pytestmark = pytest.mark.needs("lab", "nftables")
needs_iptables = pytest.mark.needs("iptables")


def states(*steps: str, links: bool = False) -> list[dict[str, Any]]:
    """Fields of the fact after each step, a line of shell, in a network of its own."""
    once = f'{sys.executable} -m hatang_agent once firewall --json | {sys.executable} -c "$SHORT"'
    short = "import json,sys;print('FACT',json.dumps(json.load(sys.stdin)['facts'][0]['fields']))"
    prepare = "ip link add va type veth peer name vb; ip link set va up; ip link set vb up; " if links else ""
    wait = "timeout 20 sh -c 'until grep -q va /proc/net/if_inet6; do sleep 0.05; done'; " if links else ""
    script = f"set -e; {prepare}{wait}" + "".join(f"{step}\n{once}\n" for step in steps)
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(AGENT), "SHORT": short},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    facts = [line.removeprefix("FACT ") for line in done.stdout.splitlines() if line.startswith("FACT ")]
    return [json.loads(fact) for fact in facts]


def test_a_rule_and_a_policy_come_and_go() -> None:
    """Nothing, an open chain, a drop rule, the policy, and nothing again: as `nft list ruleset` shows."""
    found = states(
        "nft list ruleset",
        f"nft 'add table inet f' ; nft '{OPEN}'",
        "nft add rule inet f in tcp dport 23 drop; nft list ruleset | grep -q 'dport 23 drop'",
        "nft flush chain inet f in; nft 'chain inet f in { policy drop ; }'; nft list ruleset | grep drop",
        "nft 'chain inet f in { policy accept ; }'",
        "nft flush ruleset",
    )
    assert [one["state"] for one in found] == ["off", "off", "on", "on", "off", "off"]
    assert found[2]["why"] == "only what a rule names is refused"
    assert '"policy":"drop"' in found[3]["evidence"]


def test_one_family_alone() -> None:
    """A table of IPv4 leaves IPv6 open, where an interface has such an address, and the reverse."""
    chain = "add chain {0} f in {{ type filter hook input priority 0 ; policy drop ; }}"
    only = f"nft flush ruleset; nft add table {{0}} f; nft '{chain}'"
    found = states(only.format("ip"), only.format("ip6"), only.format("inet"), links=True)
    assert [(one["state"], one.get("why", "")) for one in found] == [
        ("partial", "IPv6 is not filtered"),
        ("partial", "IPv4 is not filtered"),
        ("on", ""),
    ]
    assert [one["state"] for one in states(only.format("ip"))] == ["on"]


def test_without_rights_nothing_is_off() -> None:
    """The same machine asked by a user without rights."""
    once = f"setpriv --reuid 65534 --clear-groups {sys.executable} -m hatang_agent once firewall --json"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", f"{once} || true"],
        env={**os.environ, "PYTHONPATH": str(AGENT)},
        capture_output=True,
        text=True,
        check=True,
    )
    if not done.stdout:
        pytest.skip("another user may not read the program's folder")
    fields = json.loads(done.stdout)["facts"][0]["fields"]
    assert (fields["state"], fields["why"]) == ("unreadable", "no right to read the rules")


@needs_iptables
def test_iptables_of_both_families() -> None:
    """Rules on the way of containers, then a reject for IPv4, then for both, then only by policy."""
    found = states(
        "iptables -t nat -A POSTROUTING -j MASQUERADE; iptables -N DOCKER; iptables -P FORWARD DROP;"
        " iptables -A FORWARD -j DOCKER",
        "iptables -A INPUT -p tcp --dport 22 -j REJECT",
        "ip6tables -A INPUT -j REJECT",
        "iptables -F INPUT; ip6tables -F INPUT; iptables -P INPUT DROP; ip6tables -P INPUT DROP",
        "iptables -I INPUT -j ACCEPT",
        links=True,
    )
    assert [one["state"] for one in found] == ["off", "partial", "on", "on", "partial"]
    assert {one["product"] for one in found} == {"iptables"}


@needs_iptables
def test_the_older_tables_are_seen_beside_nftables() -> None:
    """Nft cannot show them."""
    found = states(
        "iptables-legacy -P INPUT DROP; ip6tables-legacy -A INPUT -j DROP",
        "iptables-legacy -P INPUT ACCEPT",
        "ip6tables-legacy -F",
        links=True,
    )
    assert [one["state"] for one in found] == ["on", "partial", "off"]


@needs_iptables
def test_older_tables_are_seen_by_a_service_that_is_not_root(tmp_path: Path) -> None:
    """With the service's two capabilities, although only root may read which tables there are."""
    service = (
        "setpriv --reuid 65534 --regid 65534 --clear-groups "
        "--inh-caps +net_admin,+net_raw --ambient-caps +net_admin,+net_raw"
    )
    found = []
    for rule in ("true", "iptables-legacy -P INPUT DROP; ip6tables-legacy -P INPUT DROP"):
        done = subprocess.run(
            [
                "unshare",
                "--net",
                "sh",
                "-c",
                f"{rule}; exec {service} {sys.executable} -m hatang_agent once firewall --json",
            ],
            env={**os.environ, "PYTHONPATH": str(AGENT), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found.append(json.loads(done.stdout)["facts"][0]["fields"]["state"])
    assert found == ["off", "on"]
