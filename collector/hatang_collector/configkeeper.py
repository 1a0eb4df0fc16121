"""Keeps every machine's signed configuration equal to what is set for it along the tree.

Its content is the settings of its scopes and the targets of its units: what it is to ask to know which
networks and services it reaches.

Whenever the estate, a placement or a setting changed, and at every midnight (units change on a day),
the content of each machine is worked out again. Only those whose content differs from what was signed
for them last get a new number; the others are not touched.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, Final

from hatang_collector.broker.configs import ConfigPublisher, as_json
from hatang_collector.broker.contract import BrokerUnavailable
from hatang_collector.clock import NowMs
from hatang_collector.domain.estate import Estate, Placement
from hatang_collector.domain.localtime import day_of
from hatang_collector.domain.settings import ALL, Effective, Scopes, Setting, content, effective
from hatang_collector.domain.targets import Refused, Targets
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger import deliveries, estate_version, machines, node_settings, placements
from hatang_collector.ledger.engine import Connection, Ledger
from hatang_collector.ledger.errors import LedgerError
from hatang_collector.ledger.estate_tables import NOUNS
from hatang_collector.settings_keys import keys, registers

log = logging.getLogger(__name__)

POLL_S: Final = 2.0
BATCH: Final = 100
"""Machines in one transaction and one sending: ingest writes to the same ledger in between."""
_NEEDED: Final = frozenset({"units", "successions", "site_units", "services", "targets"})


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides about the content of a machine's configuration, on one day."""

    scopes: Scopes
    settings: Mapping[str, list[Setting]]
    targets: Targets

    @classmethod
    def read(cls, c: Connection, day: date) -> Plan:
        """As the ledger has it."""
        estate = Estate(**{noun.name: noun.load(c) for noun in NOUNS if noun.name in _NEEDED})
        known = keys()
        settings: dict[str, list[Setting]] = {}
        for one in node_settings.every(c):
            if one.key in known:  # an agent refuses a configuration with a key that is gone
                settings.setdefault(one.scope, []).append(one)
        tree = Tree(estate.units, estate.successions)
        return cls(Scopes(estate, tree, day), settings, Targets(estate, tree, day))

    def content(self, agent: str, role: str, placement: Placement | None) -> dict[str, Any]:
        """What the configuration of one machine says."""
        chain = self.scopes.of(agent, placement)
        near = [one for scope in chain for one in self.settings.get(scope, ())]
        found = effective(near, chain, role)
        for probe, lines in self.targets.of(chain).items():
            if probe in registers():
                found[registers()[probe]] = Effective(list(lines), ALL)
        return content(found)


class ConfigKeeper(threading.Thread):
    """Looks every two seconds, sooner when poked. A broker or ledger that is away is told once."""

    def __init__(self, ledger: Ledger, configs: ConfigPublisher, now_ms: NowMs) -> None:
        super().__init__(name="config-keeper", daemon=True)
        self._ledger = ledger
        self._configs = configs
        self._now_ms = now_ms
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._done: tuple[int, date] | None = None
        self._unsent: dict[str, None] = {}
        self._too_large: set[str] = set()
        self._refused: frozenset[Refused] = frozenset()
        self._broken = False

    def poke(self) -> None:
        """Something changed: look now; returns at once."""
        self._woken.set()

    def end(self) -> None:
        """End the thread and wait for it."""
        self._ended.set()
        self._woken.set()
        if self.ident is not None:
            self.join()

    def run(self) -> None:
        """Rounds until ended."""
        while not self._ended.is_set():
            self._try_round()
            self._woken.wait(POLL_S)
            self._woken.clear()

    def first_config(self, role: str, placement: Placement) -> dict[str, Any]:
        """The content for a machine that enrols now. Raises LedgerUnavailable."""
        with self._ledger.read() as c:
            plan = Plan.read(c, day_of(self._now_ms()))
        return plan.content(placement.agent, role, placement)

    def round(self) -> int:
        """Bring every machine's configuration up to date; how many changed.

        Raises BrokerUnavailable when they are stored and will be sent in a later round, LedgerError
        when the ledger does not answer.
        """
        day = day_of(self._now_ms())
        with self._ledger.read() as c:
            now = (estate_version.number(c), day)
            wanted = {} if now == self._done else self._different(c, day)
        waiting = iter(wanted.items())
        while (batch := dict(islice(waiting, BATCH))) and not self._ended.is_set():
            self._configs.store(batch)
            self._unsent |= dict.fromkeys(batch)
        if not self._ended.is_set():
            self._done = now
        self._send()
        return len(wanted)

    def _different(self, c: Connection, day: date) -> dict[str, str]:
        """The new content, as text, of every machine that has another one."""
        plan = Plan.read(c, day)
        self._tell_refused(frozenset(plan.targets.refused))
        placed = placements.current(c)
        signed = deliveries.stored(c)
        found = {}
        for machine in machines.every(c):
            if machine.retired_ms is not None:
                continue
            agent = machine.agent
            wanted = plan.content(agent, machine.role, placed.get(agent))
            _, before = signed.get(agent, (0, "{}"))
            if json.loads(before) != wanted and (text := self._text(agent, wanted)):
                found[agent] = text
        return found

    def _tell_refused(self, refused: frozenset[Refused]) -> None:
        """Name targets that nobody can ask, each once."""
        for one in sorted(refused - self._refused, key=lambda one: one.code):
            log.warning("target %s is left out: %s; correct it in the register of targets", one.code, one.why)
        self._refused = refused

    def _text(self, agent: str, wanted: Mapping[str, Any]) -> str:
        """Content as it is signed; '' when the agent would refuse it for its size, told once."""
        try:
            text = as_json(wanted)
        except ValueError as error:
            if agent not in self._too_large:
                log.warning("%s keeps its former configuration: %s; set shorter texts", agent, error)
            self._too_large.add(agent)
            return ""
        self._too_large.discard(agent)
        return text

    def _send(self) -> None:
        """Publish what is stored and not yet with the broker, some at a time. Raises BrokerUnavailable."""
        while self._unsent and not self._ended.is_set():
            batch = list(islice(self._unsent, BATCH))
            self._configs.publish_many(batch)
            self._forget(batch)

    def _forget(self, sent: Collection[str]) -> None:
        self._unsent = {agent: None for agent in self._unsent if agent not in sent}

    def _try_round(self) -> None:
        try:
            changed = self.round()
        except (BrokerUnavailable, LedgerError) as error:
            if not self._broken and not self._ended.is_set():
                log.warning("changed settings wait: %s", error)
            self._broken = True
            return
        if self._broken:
            log.warning("changed settings are sent again")
        self._broken = False
        if changed:
            log.info("%d machines have a new configuration", changed)
