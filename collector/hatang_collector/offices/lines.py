"""The lines that enrol the machines of an office, by staff group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hatang_collector.enrol_lines import EnrolOffer, Lines, for_group, lines_to_run
from hatang_collector.offices.add import Invitation


@dataclass(frozen=True, slots=True)
class GroupLines:
    """The lines for machines of one staff group; ``staff_group`` '' for the site probe."""

    staff_group: str
    count: int
    lines: Lines


def lines_by_group(invitation: Invitation, offer: EnrolOffer) -> Sequence[GroupLines]:
    """The lines of a token. Where it is for several staff groups, each line names its own."""
    lines = lines_to_run(offer.url, invitation.token, offer.pin, invitation.role)
    groups = invitation.machines
    if len(groups) < 2:
        return [GroupLines(next(iter(groups), ""), invitation.uses, lines)]
    return [GroupLines(group, number, for_group(lines, group)) for group, number in groups.items()]
