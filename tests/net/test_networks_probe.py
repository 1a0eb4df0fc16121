"""What a run of the networks probe tells, on a machine whose network answers as each test says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatang_agent import registry
from hatang_agent.net.answer import Answer, Echoes, Outcome
from hatang_agent.net.path import Tied
from hatang_agent.registry import NoData
from net.staged import HOUR_MS, Machine, Net, echo, fact, plug, reach, runs, took

PROBE = registry.probes()["networks"]


def test_every_network_is_told_for_every_path(machine: Machine, net: Net) -> None:
    """The contract of the output: fields, samples and tags; a path that does not reach it is told as well."""
    net.replies[("eth0", "icmp 10.0.0.1")] = echo(4.0, 6.0, None)
    result = runs(machine, "cpnet icmp 10.0.0.1", "internet tcp 203.0.113.5:443")()
    assert fact(result, "cpnet eth0") == {
        "network": "cpnet",
        "source": "eth0",
        "reached": "yes",
        "rtt_ms": 5.0,
        "loss": 33.3,
        "jitter_ms": 2.0,
        "how": "icmp 10.0.0.1",
    }
    assert fact(result, "cpnet eth1") == {
        "network": "cpnet",
        "source": "eth1",
        "reached": "no",
        "loss": 100.0,
        "how": "icmp 10.0.0.1: no answer",
    }
    assert reach(result)["internet", "eth0"] == "no"
    samples = {
        (one.name, one.tags["network"], one.tags["path"]): (one.value, one.unit) for one in result.samples
    }
    assert samples == {
        ("networks.rtt_ms", "cpnet", "eth0"): (5.0, "ms"),
        ("networks.loss", "cpnet", "eth0"): (33.3, "%"),
        ("networks.jitter_ms", "cpnet", "eth0"): (2.0, "ms"),
        ("networks.loss", "cpnet", "eth1"): (100.0, "%"),
        ("networks.loss", "internet", "eth0"): (100.0, "%"),
        ("networks.loss", "internet", "eth1"): (100.0, "%"),
    }
    assert [one.kind for one in result.facts] == ["network_reach"] * 4


def test_several_networks_at_once_are_named_and_not_judged(machine: Machine, net: Net) -> None:
    """With the paths by which they are reached."""
    net.replies = {("eth0", "icmp 10.0.0.1"): echo(1.0), ("eth1", "icmp 203.0.113.5"): echo(1.0)}
    run = runs(machine, "cpnet icmp 10.0.0.1", "internet icmp 203.0.113.5")
    assert fact(run(), "", "dual_homed") == {"networks": "cpnet,internet", "paths": "eth0,eth1"}
    del net.replies["eth1", "icmp 203.0.113.5"]
    assert [one.kind for one in run().facts] == ["network_reach"] * 4


def test_a_dead_path_is_not_tested_and_says_why(machine: Machine, net: Net, tmp_path: Path) -> None:
    """The other one still reaches, and does not stand in for it."""
    net.replies = {(path, "icmp 10.0.0.1"): echo(1.0) for path in ("eth0", "eth1")}
    run = runs(machine, "cpnet icmp 10.0.0.1")
    assert run.reach() == {("cpnet", "eth0"): "yes", ("cpnet", "eth1"): "yes"}
    plug(tmp_path, eth0=True, eth1=False)
    result = run()
    assert reach(result) == {("cpnet", "eth0"): "yes", ("cpnet", "eth1"): "not_tested"}
    assert fact(result, "cpnet eth1")["how"] == "no link"
    assert not [one for one in result.samples if one.tags["path"] == "eth1"]


def test_no_interface_and_no_target(tmp_path: Path, net: Net) -> None:
    """Without a card each network is not tested; without targets there is nothing to tell."""
    plug(tmp_path)
    machine = Machine(tmp_path, net)
    result = runs(machine, "cpnet icmp 10.0.0.1")()
    assert fact(result, "cpnet") == {
        "network": "cpnet",
        "source": "",
        "reached": "not_tested",
        "how": "no network interface",
    }
    with pytest.raises(NoData, match="no targets are configured"):
        runs(machine)()


@pytest.mark.parametrize(
    ("answer", "reached", "how"),
    [
        (took(3.0), "yes", "tcp 10.0.0.1:443"),
        (took(3.0, Outcome.REFUSED, "refused"), "yes", "tcp 10.0.0.1:443: refused, so it was reached"),
        (Answer(Outcome.UNREACHABLE, "unreachable"), "no", "tcp 10.0.0.1:443: unreachable"),
        (
            Answer(Outcome.NOT_SENT, "Operation not permitted"),
            "not_tested",
            "tcp 10.0.0.1:443: Operation not permitted",
        ),
        (
            Answer(Outcome.ANSWERED, tied=Tied.SOURCE, rtt_ms=1.0),
            "yes",
            "tcp 10.0.0.1:443; only the source address is that of the path",
        ),
        (Answer(Outcome.ANSWERED, rtt_ms=1.0), "yes", "tcp 10.0.0.1:443; the system chose the way"),
    ],
)
def test_what_an_answer_by_tcp_says(
    machine: Machine, net: Net, answer: Answer, reached: str, how: str
) -> None:
    """Taken, refused, no way, not sent; and how firmly it kept to its path."""
    net.replies[("eth0", "tcp 10.0.0.1:443")] = answer
    found = fact(runs(machine, "cpnet tcp 10.0.0.1:443")(), "cpnet eth0")
    assert (found["reached"], found["how"]) == (reached, how)


def test_the_full_methods_are_asked_in_full_once_an_hour(machine: Machine, net: Net) -> None:
    """In between a connection to the same port is enough; after a failure they are asked in full again."""
    url = "https://example.vn/"
    net.names = {"example.vn": ("203.0.113.5",)}
    full, bare = ("eth0", f"http {url}"), ("eth0", f"tcp {url}")
    net.replies = {full: took(3.0, detail="status 200", status=200), bare: took(3.0)}
    run = runs(machine, f"internet http {url}")

    def asked() -> list[str]:
        net.asked.clear()
        assert run.reach()["internet", "eth0"] == "yes"
        return [method.split()[0] for path, method in net.asked if path == "eth0"]

    assert fact(run(), "internet eth0")["how"] == f"http {url}: status 200"
    assert [asked(), asked()] == [["tcp"], ["tcp"]]
    net.boot_ms += HOUR_MS
    assert asked() == ["http"]
    net.replies = {}
    assert run.reach()["internet", "eth0"] == "no"
    net.replies = {full: took(3.0, status=200), bare: took(3.0)}
    assert asked() == ["http"]


def test_the_target_that_answered_is_asked_first(machine: Machine, net: Net) -> None:
    """The others only when it is silent; in the order in which they were given."""
    net.replies[("eth0", "icmp 10.0.0.2")] = echo(1.0)
    run = runs(machine, "cpnet icmp 10.0.0.1", "cpnet icmp 10.0.0.2", "cpnet icmp 10.0.0.3")

    def asked() -> list[str]:
        net.asked.clear()
        run()
        return [what[-1] for path, what in net.asked if path == "eth0"]

    assert [asked(), asked()] == [["1", "2"], ["2"]]
    net.replies = {("eth0", "icmp 10.0.0.3"): echo(1.0)}
    assert [asked(), asked()] == [["2", "1", "3"], ["3"]]


def test_without_the_right_to_echo_hosts_are_asked_by_tcp(machine: Machine, net: Net) -> None:
    """And it is said; where TCP may not either, nothing was tested."""
    denied = Echoes((), Outcome.NOT_SENT, "no right to send echo requests")
    net.replies = {
        ("eth0", "icmp 10.0.0.1"): denied,
        ("eth0", "tcp 10.0.0.1:80"): took(7.0, Outcome.REFUSED, "refused"),
        ("eth1", "icmp 10.0.0.1"): denied,
        ("eth1", "tcp 10.0.0.1:443"): Answer(Outcome.NOT_SENT, "no"),
        ("eth1", "tcp 10.0.0.1:80"): Answer(Outcome.NOT_SENT, "no"),
    }
    result = runs(machine, "cpnet icmp 10.0.0.1")()
    assert fact(result, "cpnet eth0")["how"] == (
        "tcp 10.0.0.1:80: refused, so it was reached (by TCP: no right to send echo requests)"
    )
    assert ("eth0", "tcp 10.0.0.1:443") in net.asked
    assert net.asked.count(("eth0", "tcp 10.0.0.1:80")) == 1, "what was heard is not asked again"
    assert fact(result, "cpnet eth1") == {
        "network": "cpnet",
        "source": "eth1",
        "reached": "not_tested",
        "how": "icmp 10.0.0.1: no right to send echo requests",
    }


def test_one_question_a_run_still_has_a_jitter(machine: Machine, net: Net) -> None:
    """The difference to the run before, of the same target, while it was reached."""
    run = runs(machine, "cpnet tcp 10.0.0.1:443")

    def jitter(rtt_ms: float | None) -> list[float]:
        net.replies = {("eth0", "tcp 10.0.0.1:443"): took(rtt_ms)} if rtt_ms else {}
        return [one.value for one in run().samples if one.name == "networks.jitter_ms"]

    assert [jitter(3.0), jitter(5.0), jitter(None), jitter(4.0), jitter(4.5)] == [[], [2.0], [], [], [0.5]]


def test_lost_connections_are_tried_again_and_counted(machine: Machine, net: Net) -> None:
    """At most as often as echo requests are sent."""
    run = runs(machine, "cpnet tcp 10.0.0.1:443", echoes=2)
    run()
    assert net.asked.count(("eth0", "tcp 10.0.0.1:443")) == 2


def test_names_are_looked_up_and_kinds_of_addresses_kept_apart(machine: Machine, net: Net) -> None:
    """A name without an address is not reached; an IPv6 address cannot be asked by a path without one."""
    net.names = {"a.vn": ("2001:db8::1", "10.0.0.1", "10.0.0.2")}
    net.replies[("eth0", "icmp 10.0.0.1")] = echo(1.0)
    result = runs(machine, "cpnet icmp a.vn", "six icmp 2001:db8::1", "none icmp b.vn", "dns dns a.vn")()
    assert fact(result, "cpnet eth0")["how"] == "icmp a.vn"
    assert ("eth0", "icmp 10.0.0.2") not in net.asked, "an address that answers is enough"
    assert fact(result, "six eth0")["reached"] == "not_tested"
    assert fact(result, "none eth0")["how"] == "icmp b.vn: the name has no address"
    assert fact(result, "none eth0")["reached"] == "no"
    assert "write name@server" in str(fact(result, "dns eth0")["how"])


def test_a_run_ends_in_time(machine: Machine, net: Net) -> None:
    """Whatever is silent: what was not asked any more is not called unreachable."""
    net.costs_ms = 20_000
    run = runs(machine, *[f"n{number} icmp 10.0.0.{number}" for number in range(20)])
    result = run()
    assert len(net.asked) < 10
    states = set(reach(result).values())
    assert states == {"no", "not_tested"}
    late = [one.fields["how"] for one in result.facts if one.fields["reached"] == "not_tested"]
    assert set(late) == {"no time was left"}
