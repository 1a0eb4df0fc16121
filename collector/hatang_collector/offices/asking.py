"""The questions about an office on a terminal: the fields of the form, one after the other.

A question is asked again until its answer can be read, so what comes out is an office. Nothing is
written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from hatang_collector.domain.estate import Estate, LinkKind
from hatang_collector.domain.folding import official
from hatang_collector.offices import form
from hatang_collector.offices.faults import Fault
from hatang_collector.offices.request import MAX_LINKS, OfficeRequest

Ask = Callable[[str], str]
Texts = Callable[..., str]

_YES: Final = frozenset({"y", "yes", "c", "co", "có"})
_NO: Final = frozenset({"n", "no", "k", "khong", "không"})


@dataclass(frozen=True, slots=True)
class Terminal:
    """``ask`` shows a question and gives the answer, ``say`` shows a line, ``t`` has the words."""

    ask: Ask
    say: Callable[[str], None]
    t: Texts


class Questions:
    """One office on a terminal. ``given`` are fields that options answered already."""

    def __init__(self, terminal: Terminal, estate: Estate, today: date, given: Mapping[str, str]) -> None:
        self._terminal = terminal
        self._estate = estate
        self._today = today
        self._given = dict(given)
        self._fields = {**form.defaults(estate), **given}

    def office(self) -> OfficeRequest:
        """Ask what is not given. Raises EOFError when the answers end, as Ctrl-D does."""
        t = self._terminal.t
        if "unit_how" not in self._given and self._estate.units:
            known = self.yes(t("office.unit.known"), default=True)
            self._fields["unit_how"] = form.KNOWN if known else form.NEW
        if self._fields["unit_how"] == form.KNOWN:
            self._field("unit", f"{t('office.unit.which')} {t('office.unit.which.hint')}")
        else:
            self._field("unit_name", f"{t('office.unit.name')} {t('office.unit.name.hint')}")
            self._field("unit_code", t("office.unit.code"), self._proposed_code())
            if self._estate.units:
                self._field("unit_parent", f"{t('office.unit.parent')} {t('office.unit.parent.hint')}")
        self._field("site_name", t("office.site.name"), self._proposed_name())
        self._field("address", f"{t('office.address')} {t('office.optional')}")
        self._field("hours", t("office.hours"), self._fields["hours"])
        if not any(name.startswith("link") for name in self._given):
            self._links()
        self._machines()
        found = form.read_office(self._fields, self._estate, self._today)
        while not isinstance(found, OfficeRequest):
            for name, fault in found.items():
                self._given.pop(name, None)
                self._refuse(fault)
                self._field(name, name)
            found = form.read_office(self._fields, self._estate, self._today)
        return found

    def yes(self, question: str, *, default: bool) -> bool:
        """A question for yes or no; an empty answer is the default."""
        hint = self._terminal.t("yes"), self._terminal.t("no")
        while True:
            answer = self._terminal.ask(f"{question} ({'/'.join(hint)}) [{hint[not default]}]: ")
            answer = official(answer).casefold()
            if not answer:
                return default
            if answer in _YES | _NO:
                return answer in _YES

    def _field(self, name: str, question: str, proposed: str = "") -> None:
        """Ask for one field until its answer can be read; not at all when an option gave it."""
        if name in self._given:
            return
        while True:
            bracket = f" [{proposed}]" if proposed else ""
            self._fields[name] = self._terminal.ask(f"{question}{bracket}: ").strip() or proposed
            fault = self._fault(name)
            if fault is None:
                return
            self._refuse(fault)

    def _fault(self, name: str) -> Fault | None:
        """What is wrong with a field, as far as it does not come from one that is not asked yet."""
        found = form.read_office(self._fields, self._estate, self._today)
        return None if isinstance(found, OfficeRequest) else found.get(name)

    def _refuse(self, fault: Fault) -> None:
        self._terminal.say("  ✕ " + self._terminal.t(f"office.fault.{fault.code}", **fault.values))

    def _proposed_code(self) -> str:
        return form.free_proposed_code(self._fields.get("unit_name", ""), self._estate)

    def _proposed_name(self) -> str:
        return form.unit_name(self._fields, self._estate, self._today)

    def _links(self) -> None:
        t = self._terminal.t
        for row in range(1, MAX_LINKS + 1):
            at = f"link{row}"
            kinds = ", ".join(LinkKind)
            kind = (
                f"{t('office.link', number=row)}: {t('office.link.kind')} ({kinds}; {t('office.link.none')})"
            )
            self._field(f"{at}_kind", kind)
            if not self._fields[f"{at}_kind"]:
                return
            self._field(
                f"{at}_provider", f"  {t('office.link.provider')} ({', '.join(form.PROVIDERS[:4])} …)"
            )
            self._field(f"{at}_down", f"  {t('office.link.down')}, Mbit/s")
            self._field(f"{at}_up", f"  {t('office.link.up')}, Mbit/s")
            for name, default in (("essential", True), ("metered", False)):
                chosen = self.yes(f"  {t(f'office.link.{name}')}", default=default)
                self._fields[f"{at}_{name}"] = "on" if chosen else ""

    def _machines(self) -> None:
        t = self._terminal.t
        if "probe" not in self._given:
            question = f"{t('office.probe')} {t('office.probe.hint')}"
            self._fields["probe"] = "on" if self.yes(question, default=True) else ""
        if not any(name.startswith("pcs_") for name in self._given):
            self._terminal.say(t("office.pcs"))
            for group in sorted(self._estate.staff_groups, key=lambda one: (one.position, one.code)):
                self._field(f"pcs_{group.code}", f"  {group.name}", "0")
        self._field("days", t("office.days"), self._fields["days"])
