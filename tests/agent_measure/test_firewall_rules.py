"""What rule sets mean, and that a broken listing is never taken for an open machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.probes import _firewall_managers, firewall_linux
from hatang_agent.probes._firewall_chains import Reading
from hatang_agent.probes._firewall_verdict import Refusal, Verdict, of_rules, shortened
from hatang_agent.system import CommandMissing, CommandTimeout, Output, System

CASES = Path(__file__).parent / "cases"
NFT = ("nft", "-j", "list", "ruleset")
NFT_TEXT = ("nft", "list", "ruleset")
SAVE = ("iptables-save",)
SAVE6 = ("ip6tables-save",)
NO_IPV6 = {"/proc/net/dev": ""}
HEAD = {"metainfo": {"version": "1.0.6"}}


class Told:
    """A machine that knows a few files and answers; counts what was started."""

    def __init__(
        self, answers: Mapping[Sequence[str], str | Output], files: Mapping[str, str] | None = None
    ) -> None:
        self._answers = answers
        self._files = files or {}
        self.started: list[str] = []

    def read_text(self, path: str) -> str | None:
        return self._files.get(path)

    def run(self, argv: Sequence[str], timeout_s: float) -> Output:
        if tuple(argv) not in self._answers:
            raise CommandMissing(argv)
        self.started.append(argv[0])
        answer = self._answers[tuple(argv)]
        if answer == "too slow":
            raise CommandTimeout(argv, timeout_s)
        return Output(answer, "", 0) if isinstance(answer, str) else answer


def verdict(answers: Mapping[Sequence[str], str | Output], files: Mapping[str, str] | None = None) -> Verdict:
    """The verdict on a machine that gives these answers."""
    machine = Told(answers, files)
    found = firewall_linux.look(cast(System, machine))
    assert len(machine.started) <= firewall_linux.MAX_COMMANDS
    assert len(str(found.fields()["evidence"])) <= 500
    return found


def nft(*entries: tuple[str, dict[str, object]], tables: Sequence[str] = ("inet f",)) -> str:
    """A JSON listing with these objects behind its tables."""
    made = [{"table": dict(zip(("family", "name"), one.split(), strict=True))} for one in tables]
    return json.dumps({"nftables": [HEAD, *made, *({kind: what} for kind, what in entries)]})


def base(policy: str = "accept", family: str = "inet", hook: str = "input") -> tuple[str, dict[str, object]]:
    """A base chain ``in``."""
    fixed = {"family": family, "table": "f", "name": "in", "type": "filter", "prio": 0}
    return "chain", {**fixed, "hook": hook, "policy": policy}


def rule(*parts: dict[str, object], family: str = "inet", chain: str = "in") -> tuple[str, dict[str, object]]:
    """A rule of a chain."""
    return "rule", {"family": family, "table": "f", "chain": chain, "expr": list(parts)}


def named(name: str) -> tuple[str, dict[str, object]]:
    """A chain that is only jumped to."""
    return "chain", {"family": "inet", "table": "f", "name": name}


DROP: dict[str, object] = {"drop": None}
ACCEPT: dict[str, object] = {"accept": None}
TELNET: dict[str, object] = {
    "match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 23}
}
FROM_V4: dict[str, object] = {
    "match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "10.0.0.1"}
}
ALL_V6: dict[str, object] = {"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "ipv6"}}
COUNT: dict[str, object] = {"counter": {"packets": 7, "bytes": 420}}


@pytest.mark.parametrize(
    ("listing", "state"),
    [
        pytest.param(nft(), "off", id="empty"),
        pytest.param(nft(base("drop")), "on", id="policy"),
        pytest.param(nft(base()), "off", id="nothing-refused"),
        pytest.param(nft(base(), rule(TELNET, DROP)), "on", id="one-port-refused"),
        pytest.param(nft(base(), rule(TELNET, ACCEPT)), "off", id="only-accepted"),
        pytest.param(nft(base("drop"), rule(COUNT, ACCEPT)), "off", id="all-accepted-before-the-policy"),
        pytest.param(nft(base(), rule(ACCEPT), rule(DROP)), "off", id="dropped-too-late"),
        pytest.param(nft(base(), rule(TELNET, ACCEPT), rule(DROP)), "on", id="rest-dropped"),
        pytest.param(nft(base(), rule(FROM_V4, DROP)), "partial", id="only-ipv4-refused"),
        pytest.param(nft(base(), rule(ALL_V6, DROP)), "partial", id="only-ipv6-refused"),
        pytest.param(nft(base("drop"), rule(ALL_V6, ACCEPT)), "partial", id="ipv6-let-through"),
        pytest.param(nft(base(hook="forward"), rule(DROP)), "off", id="only-forwarded"),
        pytest.param(nft(base("drop", hook="output")), "off", id="only-outgoing"),
        pytest.param(nft(base("drop", hook="prerouting")), "on", id="before-routing-by-policy"),
        pytest.param(nft(base("accept", hook="prerouting"), rule(FROM_V4, DROP)), "off", id="docker-raw"),
        pytest.param(
            nft(base(), named("more"), rule({"jump": {"target": "more"}}), rule(DROP, chain="more")),
            "on",
            id="behind-a-jump",
        ),
        pytest.param(
            nft(base("drop"), named("more"), rule({"jump": {"target": "more"}}), rule(ACCEPT, chain="more")),
            "off",
            id="accepted-behind-a-jump",
        ),
        pytest.param(
            nft(base(), named("more"), rule({"goto": {"target": "more"}}), rule(DROP)),
            "off",
            id="goto-leaves",
        ),
        pytest.param(
            nft(base(), named("more"), rule({"jump": {"target": "more"}}), rule(DROP)),
            "on",
            id="jump-returns",
        ),
        pytest.param(
            nft(
                base(),
                named("loop"),
                rule({"jump": {"target": "loop"}}, chain="loop"),
                rule({"jump": {"target": "loop"}}),
            ),
            "unreadable",
            id="endless",
        ),
        pytest.param(nft(base(), rule({"jump": {"target": "gone"}})), "unreadable", id="jump-to-nowhere"),
        pytest.param(nft(base(), rule({"queue": {"num": 1}})), "unreadable", id="a-program-decides"),
        pytest.param(nft(base(), rule({"xt": None})), "unreadable", id="an-extension-without-a-name"),
        pytest.param(nft(base(), rule({"xt": {"type": "target", "name": "REJECT"}})), "on", id="xt-reject"),
        pytest.param(
            nft(base(), named("x"), rule({"frob": 1}, chain="x")), "off", id="unknown-but-never-met"
        ),
        pytest.param(nft(base("drop", family="ip"), tables=("ip f", "ip6 f")), "partial", id="table-of-ipv4"),
        pytest.param(
            nft(
                ("map", {"family": "inet", "name": "m", "table": "f", "elem": [[23, {"drop": None}]]}),
                base(),
                rule({"vmap": {"key": {}, "data": "@m"}}),
            ),
            "on",
            id="named-map",
        ),
        pytest.param(nft(base(), rule({"vmap": {"key": {}, "data": "@gone"}})), "unreadable", id="map-gone"),
        pytest.param("{}", "unreadable", id="another-object"),
        pytest.param("", "unreadable", id="no-answer"),
        pytest.param('{"nftables": []}', "unreadable", id="no-metainfo"),
        pytest.param('{"nftables": [1]}', "unreadable", id="numbers"),
        pytest.param("[" * 100_000, "unreadable", id="deep"),
    ],
)
def test_nftables(listing: str, state: str) -> None:
    """Hooks, policies, order, jumps and families."""
    assert verdict({NFT: listing}).state == state


def test_a_dormant_table_filters_nothing() -> None:
    """Its chains are there and not in force."""
    listing = json.loads(nft(base("drop")))
    listing["nftables"][1]["table"]["flags"] = ["dormant"]
    assert verdict({NFT: json.dumps(listing)}).state == "off"


def test_ipv6_that_is_switched_off_need_not_be_filtered() -> None:
    """The kernel's own list of addresses tells whether it is in use."""
    listing = nft(base("drop", family="ip"), tables=("ip f",))
    alone = "00000000000000000000000000000001 01 80 10 80 lo\n"
    linked = "fe80000000000000e8780dfffe27f94f 02 40 20 80 eth0\n"
    assert verdict({NFT: listing}, NO_IPV6).state == "on"
    assert verdict({NFT: listing}, {"/proc/net/if_inet6": alone}).state == "on"
    found = verdict({NFT: listing}, {"/proc/net/if_inet6": alone + linked})
    assert (found.state, found.why) == ("partial", "IPv6 is not filtered")


def table(*lines: str, policy: str = "ACCEPT", name: str = "filter") -> str:
    """A table as iptables-save prints it."""
    chains = (f":INPUT {policy} [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]")
    return "\n".join((f"*{name}", *chains, *lines, "COMMIT", ""))


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "state"),
    [
        pytest.param(table(policy="DROP"), table(policy="DROP"), "on", id="both"),
        pytest.param(table(policy="DROP"), table(), "partial", id="ipv6-open"),
        pytest.param(table(), table(policy="DROP"), "partial", id="ipv4-open"),
        pytest.param(table(), table(), "off", id="neither"),
        pytest.param("", "", "off", id="no-tables"),
        pytest.param(table(policy="DROP"), None, "on", id="ipv6-not-asked"),
        pytest.param(table("-A INPUT -j ACCEPT", policy="DROP"), "", "off", id="accepted-first"),
        pytest.param(table("-A INPUT -i lo -j ACCEPT", policy="DROP"), None, "on", id="loopback-accepted"),
        pytest.param(table("-A INPUT -p tcp -j REJECT"), None, "on", id="a-rule"),
        pytest.param(table("-A INPUT -j LOG"), "", "off", id="only-logged"),
        pytest.param(table("-A FORWARD -j DROP"), "", "off", id="only-forwarded"),
        pytest.param(table(":X - [0:0]", "-A INPUT -g X", "-A X -j DROP"), None, "on", id="goto"),
        pytest.param(table("-A INPUT -j NFQUEUE"), "", "off", id="queue-goes-on"),
        pytest.param(table("-A INPUT -j X"), "", "unreadable", id="unknown-target"),
        pytest.param(table("-A INPUT -p tcp"), "", "unreadable", id="no-target"),
        pytest.param(table("?"), "", "unreadable", id="noise"),
        pytest.param(table(policy="QUEUE"), "", "unreadable", id="unknown-policy"),
        pytest.param(table(policy="DROP", name="mangle"), None, "on", id="mangle"),
        pytest.param("# Generated by iptables-save v1.8.9\n", "", "unreadable", id="head-only"),
        pytest.param("gibberish\n", "", "unreadable", id="gibberish"),
        pytest.param("# Warning: iptables-legacy tables present, use\n", "", "unreadable", id="older-tables"),
    ],
)
def test_iptables(ipv4: str, ipv6: str | None, state: str) -> None:
    """Policies, order and targets; the two families are judged by themselves."""
    answers: dict[Sequence[str], str | Output] = {SAVE: ipv4}
    if ipv6 is not None:
        answers[SAVE6] = ipv6
    assert verdict(answers).state == state


@pytest.mark.parametrize("argv", [NFT, SAVE])
@pytest.mark.parametrize("answer", ["too slow", Output("", "Operation not permitted", 1), "\0\0"])
def test_a_tool_that_does_not_answer(argv: Sequence[str], answer: str | Output) -> None:
    """Slow, refused or broken: unreadable with what it said."""
    found = verdict({argv: answer, SAVE6: ""})
    assert found.state == "unreadable"
    assert found.evidence


def test_managers_speak_where_rules_are_hidden() -> None:
    """A running firewalld counts; "inactive" proves nothing while nft refuses; ufw needs both its signs."""
    refused: dict[Sequence[str], str | Output] = {
        NFT: Output("", "Operation not permitted (you must be root)", 1)
    }
    states = ("systemctl", "is-active", "firewalld.service", "ufw.service")
    conf = {firewall_linux.UFW_CONF: "# started?\nENABLED=yes\n"}
    on = verdict({**refused, states: "active\ninactive\n"})
    assert (on.state, on.product, on.why) == ("on", "firewalld", "the rules could not be read")
    assert verdict({**refused, states: "inactive\ninactive\n"}).state == "unreadable"
    assert verdict({**refused, states: "inactive\nactive\n"}).state == "unreadable"
    assert verdict({**refused, states: "inactive\nactive\n"}, conf).product == "ufw"
    assert verdict({**refused, ("ufw", "status"): "Status: inactive\n"}).state == "unreadable"
    assert verdict({**refused, states: "active\n"}).state == "unreadable"


def test_rules_win_over_their_manager() -> None:
    """Firewalld runs and the rules are gone: the machine is open."""
    assert verdict({NFT: nft(), ("firewall-cmd", "--state"): "running\n"}).state == "off"


def test_an_ufw_that_refuses_nothing() -> None:
    """Active, default allow, and not one rule against anything."""
    head = (
        "Status: active\nDefault: allow (incoming), allow (outgoing)\n\nTo  Action  From\n--  ------  ----\n"
    )
    assert _firewall_managers.ufw(head + "22   ALLOW IN    Anywhere\n")[0] == "off"
    assert _firewall_managers.ufw(head + "22   DENY IN    Anywhere\n")[0] == "on"
    assert _firewall_managers.ufw(head + "something new\n")[0] == "on"


def test_refusals_never_say_off() -> None:
    """Whatever was read beside them."""
    refused = [Refusal("nft", "no")]
    assert of_rules([], refused, ipv6_in_use=None).state == "unreadable"
    assert of_rules([Reading("x", {})], refused, ipv6_in_use=False).state == "unreadable"


@given(st.text(), st.integers(3, 40))
def test_evidence_is_one_printable_line(text: str, limit: int) -> None:
    """At most so long, whatever a machine printed."""
    short = shortened(text, limit)
    assert len(short) <= limit
    assert short.isprintable()


FILTERING: dict[str, tuple[tuple[str, ...], str]] = {
    "nft": (NFT, (CASES / "firewall-nftables-debian-12/commands/nft--j-list-ruleset.txt").read_text()),
    "nft-rule": (NFT, nft(base(), rule(TELNET, COUNT, DROP))),
    "nft-jump": (NFT, nft(base(), named("x"), rule({"jump": {"target": "x"}}), rule(DROP, chain="x"))),
    "nft-text": (
        NFT_TEXT,
        (CASES / "firewall-nftables-without-json/commands/nft-list-ruleset.txt").read_text(),
    ),
    "nft-text-rule": (
        NFT_TEXT,
        "table inet f {\n\tchain in {\n\t\ttype filter hook input priority filter; policy accept;\n"
        "\t\ttcp dport 23 counter packets 0 bytes 0 drop\n\t\tjump more\n\t}\n\n"
        "\tchain more {\n\t\tudp dport 69 reject\n\t}\n}\n",
    ),
    "save": (SAVE, (CASES / "firewall-ufw-without-ipv6/commands/iptables-save.txt").read_text()),
    "save-rule": (SAVE, table(":X - [0:0]", "-A INPUT -i eth0 -j X", "-A X -p tcp -j REJECT")),
    "list-rules": (
        ("iptables", "-S"),
        "-P INPUT DROP\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\n",
    ),
    "ufw": (("ufw", "status"), "Status: active\n\nTo  Action  From\n--  ------  ----\n22  DENY  Anywhere\n"),
}
SIGNS = st.sampled_from('{}[]":,; \n#-:*_aADdrpx019\0é')


@st.composite
def damaged(draw: st.DrawFn) -> tuple[tuple[str, ...], str]:
    """A listing of rules that filter, with a few letters lost, added or changed, or its end cut off."""
    argv, text = FILTERING[draw(st.sampled_from(sorted(FILTERING)))]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(text) - 1)))
        how = draw(st.sampled_from(["lose", "add", "change"]))
        sign = "" if how == "lose" else draw(SIGNS)
        text = text[:at] + sign + text[at + (how != "add") :]
    if draw(st.booleans()) and argv != ("iptables", "-S"):  # a listing without an end may stop anywhere
        text = text[: draw(st.integers(0, len(text)))]
    return argv, text


@given(damaged())
def test_a_broken_listing_is_never_an_open_machine(listing: tuple[tuple[str, ...], str]) -> None:
    """Filtering rules that were damaged on their way are on, partial or unreadable."""
    argv, text = listing
    if text.strip():  # no output at all is how tools answer where there are no rules
        found = verdict({argv: text}, NO_IPV6)
        assert found.state != "off", (text, found)


def test_the_listings_filter_when_whole() -> None:
    """What the test above damages is on before."""
    for argv, text in FILTERING.values():
        assert verdict({argv: text}, NO_IPV6).state == "on"
