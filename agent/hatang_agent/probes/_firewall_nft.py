"""What ``nft list ruleset`` prints, as JSON (``nft -j``, libnftables-json(5)) or as text. Pure.

The text is read as far as the question needs it: tables, chains, hooks, policies, verdicts and jumps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hatang_agent.probes._firewall_chains import BOTH, IPV4, IPV6, Chain, Outcome, Rule, Ruleset

COMPAT = "xt "
"""Begins what only iptables can explain: its extensions have no form of their own in nftables."""

_FAMILIES = {"ip": frozenset({IPV4}), "ip6": frozenset({IPV6}), "inet": BOTH}
_OTHER_FAMILIES = ("arp", "bridge", "netdev")
_HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress", "egress")
_TYPES = ("filter", "nat", "route")
_POLICIES = {"accept": "accept", "drop": "deny"}
_OBJECTS = (
    "metainfo", "table", "set", "map", "element", "flowtable", "counter", "quota", "ct helper",
    "ct timeout", "ct expectation", "limit", "secmark", "synproxy", "tunnel",
)  # fmt: skip
_HARMLESS = (
    "counter", "log", "comment", "mangle", "notrack", "ct helper", "ct timeout", "set", "map", "flow", "fwd",
    "dup", "ct expectation", "secmark", "last", "synproxy", "continue",
)  # fmt: skip
"""Statements that go on to the next one, whatever they do."""
_SOMETIMES = ("limit", "quota", "ct count", "meter")
_ENDS = {"accept": "accept", "drop": "deny", "reject": "deny", "return": "return"}
_REWRITES = ("snat", "dnat", "masquerade", "redirect", "tproxy")
_ANSWERS = {"icmp": frozenset({IPV4}), "icmpv6": frozenset({IPV6})}
"""A reject that answers in one protocol meets packets of its family only."""
_OF_IPTABLES = re.compile(r"ip6? (?:filter|nat|mangle|raw|security)")
"""Tables where iptables may have put extensions that the text leaves out."""
_PRODUCTS = (("ufw", "ufw"), ("firewalld", "firewalld"))


class NotRules(Exception):  # noqa: N818 - an outcome, not an error
    """The output is no listing of rules."""


def from_json(text: str) -> Ruleset:
    """Rules of ``nft -j list ruleset``. Raises NotRules."""
    try:
        listed = json.loads(text)["nftables"]
        entries = [next(iter(entry.items())) for entry in listed if len(entry) == 1]
        whole = len(entries) == len(listed) and "metainfo" in listed[0]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise NotRules(str(error)[:80]) from error
    if not whole or not all(isinstance(content, dict) for _, content in entries):
        raise NotRules("not a list of objects that begins with metainfo")
    return _Json(entries).rules


class _Json:
    """Reads the objects of a listing into a rule set."""

    def __init__(self, entries: list[tuple[str, dict[str, Any]]]) -> None:
        self.rules = Ruleset()
        self._maps: dict[tuple[str, str], Any] = {}
        self._tables: dict[str, bool] = {}
        chains = [content for kind, content in entries if kind == "chain"]
        rules = [content for kind, content in entries if kind == "rule"]
        for kind, content in entries:
            if kind == "table":
                dormant = "dormant" in json.dumps(content.get("flags", ""))
                self._tables[_table(content, "name")] = dormant
            elif kind == "map":
                self._maps[_table(content, "table"), str(content.get("name"))] = content.get("elem", [])
            elif kind not in ("chain", "rule", *_OBJECTS):
                self.rules.doubt(f"{kind} {content.get('name', '')}")
        for chain in chains:
            self._chain(chain)
        for rule in rules:
            self._rule(rule)
        self.rules.product = _product(self.rules)

    def _known(self, content: Mapping[str, Any]) -> bool:
        """Whether an object belongs to a table of IP that is in force."""
        family = content.get("family")
        if family in _OTHER_FAMILIES:
            return False
        if family not in _FAMILIES or _table(content, "table") not in self._tables:
            self.rules.doubt(f"table {family} {content.get('table')}")
            return False
        return not self._tables[_table(content, "table")]

    def _chain(self, content: Mapping[str, Any]) -> None:
        if not self._known(content):
            return
        base = [key for key in ("type", "hook", "prio", "policy") if key in content]
        chain = Chain(_FAMILIES[content["family"]])
        self.rules.chains[_table(content, "table"), str(content.get("name"))] = chain
        chain.text = _line({key: content.get(key) for key in ("family", "table", "name", *base)})
        plain = {"family", "table", "name", "handle", "comment", "flags", "dev"}
        if set(content) - plain - set(base) or len(base) not in (0, 4):
            self.rules.doubt(chain.text)
        elif base:
            given = (content["type"], content["hook"], content["policy"])
            _take_hook(self.rules, chain, *map(str, given))

    def _rule(self, content: Mapping[str, Any]) -> None:
        if not self._known(content):
            return
        table = _table(content, "table")
        chain = self.rules.chains.get((table, str(content.get("chain"))))
        parts = content.get("expr")
        shown = _line({"chain": content.get("chain"), "expr": parts})
        if chain is None or not isinstance(parts, list):
            self.rules.doubt(shown)
            return
        outcomes: list[Outcome] = []
        families, sure, doubt = chain.families, True, ""
        for part in parts:
            if not isinstance(part, dict) or len(part) != 1:
                doubt = shown
                continue
            said = self._statement(table, *next(iter(part.items())))
            families, sure = families & said.families, sure and said.sure
            outcomes += said.outcomes
            if said.doubt is not None:
                doubt = f"{said.doubt}{shown}"
        chain.rules.append(Rule(tuple(outcomes), sure, families, shown, doubt))

    def _statement(self, table: str, word: str, inner: Any) -> _Statement:
        if word == "match":
            return _match(inner)
        if word in _ENDS:
            answered = inner.get("type") if isinstance(inner, dict) else None
            return _Statement([Outcome(_ENDS[word])], families=_ANSWERS.get(str(answered), BOTH))
        if word in _REWRITES:
            return _Statement([Outcome("accept")])
        if word in ("jump", "goto") and isinstance(inner, dict):
            return _Statement([Outcome(word, str(inner.get("target")))])
        if word == "vmap" and isinstance(inner, dict):
            return self._verdicts(table, inner.get("data"))
        if word in _SOMETIMES:
            return _Statement(sure=False)
        if word == "xt":
            return _compat(inner)
        return _Statement() if word in _HARMLESS else _Statement(sure=False, doubt="")

    def _verdicts(self, table: str, data: Any) -> _Statement:
        """Every verdict of a verdict map, its own or a named one."""
        pairs = data.get("set") if isinstance(data, dict) else data
        if isinstance(data, str):
            pairs = self._maps.get((table, data.lstrip("@")))
        if not isinstance(pairs, list):
            return _Statement(sure=False, doubt="")
        found = [_verdict(pair) for pair in pairs]
        known = [one for one in found if one is not None]
        return _Statement(known, sure=False, doubt=None if len(known) == len(found) else "")


@dataclass(slots=True)
class _Statement:
    """What one statement adds to its rule; ``doubt`` begins the remark when it was not understood."""

    outcomes: list[Outcome] = field(default_factory=list)
    sure: bool = True
    families: frozenset[str] = BOTH
    doubt: str | None = None


def _verdict(pair: Any) -> Outcome | None:
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], dict) or len(pair[1]) != 1:
        return None
    (word, inner) = next(iter(pair[1].items()))
    if word in ("jump", "goto") and isinstance(inner, dict):
        return Outcome(word, str(inner.get("target")))
    return Outcome("return") if word == "continue" else Outcome(_ENDS[word]) if word in _ENDS else None


def _match(inner: Any) -> _Statement:
    """A comparison; one that only asks for the family limits the families and nothing else."""
    left = inner.get("left") if isinstance(inner, dict) else None
    if not isinstance(left, dict):
        return _Statement(sure=False)
    meta, payload = left.get("meta"), left.get("payload")
    if isinstance(meta, dict) and meta.get("key") in ("nfproto", "protocol") and inner.get("op") == "==":
        only = {"ipv4": IPV4, "ip": IPV4, "ipv6": IPV6, "ip6": IPV6}.get(str(inner.get("right")))
        if only:
            return _Statement(families=frozenset({only}))
    if isinstance(payload, dict):
        only = {"ip": IPV4, "icmp": IPV4, "ip6": IPV6, "icmpv6": IPV6}.get(str(payload.get("protocol")))
        return _Statement(sure=False, families=frozenset({only}) if only else BOTH)
    return _Statement(sure=False)


def _compat(inner: Any) -> _Statement:
    """An extension of iptables; newer releases name it, older ones say null."""
    name = inner.get("name") if isinstance(inner, dict) else None
    if isinstance(inner, dict) and inner.get("type") == "match" and name:
        return _Statement(sure=name == "comment")
    if name in ("REJECT", "DROP"):
        return _Statement([Outcome("deny")])
    goes_on = name in ("LOG", "NFLOG", "MARK", "CONNMARK", "TCPMSS", "CT", "CHECKSUM")
    return _Statement() if goes_on else _Statement(sure=False, doubt=COMPAT)


def _table(content: Mapping[str, Any], key: str) -> str:
    return f"{content.get('family')} {content.get(key)}"


def _take_hook(rules: Ruleset, chain: Chain, kind: str, hook: str, policy: str) -> None:
    """Note a base chain on the input hook; a word that is none of nftables' is doubted.

    A chain that refuses by policy before routing refuses what comes in, too.
    """
    if kind not in _TYPES or hook not in _HOOKS or policy not in _POLICIES:
        rules.doubt(chain.text)
    elif hook == "input" or (hook == "prerouting" and policy == "drop"):
        chain.hook = kind != "nat"
        chain.policy = _POLICIES[policy]


def _line(value: Any) -> str:
    """Compact evidence without counts, which change by themselves, and without comments."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    text = re.sub(r'"(packets|bytes|used)":\d+', r'"\1":0', text)
    return re.sub(r'"comment":"(?:[^"\\]|\\.)*"', '"comment":""', text)


def _product(rules: Ruleset) -> str:
    for table, name in rules.chains:
        for sign, product in _PRODUCTS:
            if name.startswith(sign) or table.endswith(f" {sign}"):
                return product
        if name in ("INPUT_ZONES", "filter_INPUT_ZONES"):
            return "firewalld"
    by_iptables = any(
        _OF_IPTABLES.fullmatch(table) and name in ("INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING")
        for table, name in rules.chains
    )
    return "iptables" if by_iptables else "nftables"


_TABLE = re.compile(r"table (\w+) (\S+) \{(?: # .*)?")
_CHAIN = re.compile(r"chain (\S+) \{(?: # .*)?")
_OTHER_BLOCK = re.compile(r"(?:set|map|flowtable|counter|quota|limit|secmark|synproxy|ct \w+) .*\{(?: # .*)?")
_HOOK = re.compile(r"type (\w+) hook (\w+)(?: devices? .+?)? priority [^;]+; policy (\w+);")
_COMMENT = re.compile(r'\s*\bcomment "[^"]*"')
_COUNTS = re.compile(r"packets \d+ bytes \d+")
_SAID = re.compile(r"(?<![\w@-])(accept|drop|reject|return|(?:jump|goto) [^\s,}]+)(?![\w-])")
_ONLY = re.compile(r"meta (?:nfproto|protocol) (ipv4|ipv6|ip6|ip)\b")
_QUIET = re.compile(r"(?:(?<=\s)|^)(?:counter|log|limit|set|notrack|queue|dup|add|update|ct count)(?:\s|$)")
"""Statements of a rule that may have no verdict."""
_OF_IPV4 = re.compile(r"(?<![\w-])(?:ip (?:saddr|daddr|protocol|ttl)|icmp )")
_OF_IPV6 = re.compile(r"(?<![\w-])(?:ip6 (?:saddr|daddr|nexthdr)|icmpv6 )")


def from_text(text: str) -> Ruleset:
    """Rules of ``nft list ruleset``. Raises NotRules when it is no such listing."""
    rules = Ruleset()
    table, other = "", 0
    chain: Chain | None = None
    for raw in text.splitlines():
        line = raw.strip()
        if other:  # inside a set or map; its braces balance
            other += line.count("{") - line.count("}")
        elif not line or line.startswith("# Warning: table "):
            continue
        elif not table:
            table = _open_table(rules, line)
        elif line == "}":
            table, chain = ("" if chain is None else table), None
        elif chain is not None:
            _text_line(rules, table, chain, line)
        elif found := _CHAIN.fullmatch(line):
            chain = Chain(_FAMILIES.get(table.split()[0], frozenset()), text=f"{table} {found[1]}")
            rules.chains[table, found[1]] = chain
        elif _OTHER_BLOCK.fullmatch(line):
            other = line.count("{") - line.count("}")
        elif line != "flags dormant":
            rules.doubt(line)
        else:
            rules.doubt(f"table {table} is dormant")
    if table or chain is not None or other or (text and not text.endswith("\n")):
        rules.doubt("the listing is cut off")
    rules.product = _product(rules)
    return rules


def _open_table(rules: Ruleset, line: str) -> str:
    if (found := _TABLE.fullmatch(line)) is None:
        raise NotRules(line[:80])
    if found[1] not in (*_FAMILIES, *_OTHER_FAMILIES):
        rules.doubt(line)
    return f"{found[1]} {found[2]}"


def _text_line(rules: Ruleset, table: str, chain: Chain, line: str) -> None:
    line = _COUNTS.sub("packets 0 bytes 0", _COMMENT.sub("", line))
    shown = f"{table} {line}"
    if found := _HOOK.fullmatch(line):
        chain.text = f"{chain.text}: {line}"
        if chain.families:
            _take_hook(rules, chain, found[1], found[2], found[3])
        return
    words = re.sub(r'"[^"]*"', '""', line)
    if not line or words == "flags offload;" or words.startswith("comment "):
        return
    said = _SAID.findall(words)
    answered = re.search(r"reject with (icmp|icmpv6) ", words)
    rest = _SAID.sub("", re.sub(r"reject with .*", "reject", words))
    only = _ONLY.search(rest)
    rest = _ONLY.sub("", rest).strip()
    families = chain.families & _ANSWERS.get(answered[1] if answered else "", BOTH)
    of_ipv4, of_ipv6 = bool(_OF_IPV4.search(rest)), bool(_OF_IPV6.search(rest))
    if only:
        families &= {IPV4} if only[1] in ("ip", "ipv4") else {IPV6}
    elif of_ipv4 != of_ipv6:
        families &= {IPV4} if of_ipv4 else {IPV6}
    outcomes = [Outcome(_ENDS[word]) if word in _ENDS else Outcome(*word.split(" ", 1)) for word in said]
    if ";" in words or words.count('"') % 2:
        rules.doubt(shown)
    unknown = not said and not _QUIET.search(rest)
    doubt = shown if unknown or "vmap @" in words or re.search(r"\bqueue\b", words) else ""
    if _OF_IPTABLES.fullmatch(table):
        doubt = doubt or ("" if said else f"{COMPAT}{shown}")
    sure = (
        len(outcomes) == 1
        and not _OF_IPTABLES.fullmatch(table)
        and rest in ("", "counter", "counter packets 0 bytes 0")
    )
    chain.rules.append(Rule(tuple(outcomes), sure, frozenset(families), shown, doubt))
