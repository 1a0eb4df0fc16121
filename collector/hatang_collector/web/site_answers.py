"""The machines behind the figures of one site: what each answers, and why. Read when somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from hatang_collector.domain.figures import Coverage, Figure, Method, is_fresh
from hatang_collector.domain.protection import Answer, Question, Topic
from hatang_collector.ledger import latest
from hatang_collector.web import answers
from hatang_collector.web.answers import Answers
from hatang_collector.web.services import Services
from hatang_collector.web.sites import ON_CARD, Ground, SiteSummary, natural
from hatang_collector.web.summary import display_name

NOT_CONFIGURED: Final = "not_configured"
"""The word for a network that a machine is not to ask for and did not tell of."""


@dataclass(frozen=True, slots=True)
class MachineAnswers:
    """An agent at a site, with its answers to the questions of the site and all its paths.

    ``counts`` is False for a site probe: it is no computer of anybody and stands in no figure.
    """

    agent: str
    name: str
    counts: bool
    fresh: bool
    report_ms: int | None
    told: Answers
    networks: Sequence[str]

    def of(self, question: Question) -> Answer:
        """The answer to a question, with :data:`NOT_CONFIGURED` where it was never asked."""
        found = self.told.answers.get(question)
        if found is not None:
            return found
        unasked = question.topic is Topic.REACH and question.network not in self.networks
        return Answer(None, NOT_CONFIGURED) if unasked else self.told.of(question)

    @property
    def at_once(self) -> tuple[str, ...]:
        """The networks it is in at the same time, when CPNet and the Internet are among them."""
        return self.told.at_once


def machines_at(services: Services, ground: Ground) -> list[MachineAnswers]:
    """The machines of a site by name. Raises LedgerUnavailable."""
    agents = [one.agent for one in ground.members]
    with services.ledger.read() as c:
        found = answers.read(c, agents)
        rows = latest.machines(c, agents)
    now_ms = services.now_ms()
    machines = []
    for one in ground.members:
        heard = services.live.get(one.agent)
        report_ms = (heard.last_report_ms or None) if heard else None
        machines.append(
            MachineAnswers(
                one.agent,
                display_name(rows[one.agent]),
                bool(one.machine),
                is_fresh(report_ms, one.interval_ms, now_ms),
                report_ms,
                found.get(one.agent, answers.SILENT),
                one.networks,
            )
        )
    return sorted(machines, key=lambda one: (natural(one.name), one.agent))


@dataclass(frozen=True, slots=True)
class Line:
    """One machine of the list, with its answer to each question of the site."""

    machine: MachineAnswers
    answers: Sequence[Answer]

    @property
    def open(self) -> int:
        """How many questions of the card it does not answer with yes."""
        return sum(1 for one in ON_CARD if not self.machine.of(one).now)


def lines(summary: SiteSummary, machines: Sequence[MachineAnswers]) -> list[Line]:
    """The machines that count, those with most to look at first."""
    found = [Line(one, [one.of(asked.question) for asked in summary.asked]) for one in machines if one.counts]
    return sorted(found, key=lambda line: -line.open)


def of_agents(figure: Figure, agents: int) -> Figure:
    """How many machines were seen, out of those that have an agent instead of the declared ones."""
    usable = Coverage(min(figure.a or 0, agents), agents)
    return replace(figure, b=agents, method=Method.MEASURED, coverage=usable)
