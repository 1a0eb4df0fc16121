"""Where an enrolled machine stands and whom it serves, from its first moment on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.lab import HARDWARE, NOW_MS, Installation
from hatang_agent.wire.messages import EnrolRequest
from hatang_collector.broker.enrol import EnrolRefusal, EnrolRefused, staff_group_of
from hatang_collector.domain.estate import STAFF_GROUPS, Placement, StaffGroup
from hatang_collector.ledger import estate, machines, placements, tokens

PLACE = {"unit": "19282", "site": "tru-so", "staff_group": "cbcc"}


def of(installation: Installation, agent: str) -> list[Placement]:
    """Every placement of a machine."""
    with installation.ledger.read() as c:
        return placements.history(c, agent)


def test_the_token_says_where_a_machine_stands(installation: Installation) -> None:
    """Unit, site and group of the token are its first placement, and its first configuration knows it."""
    with installation.ledger.read() as c:
        before = estate.number(c)
    reply = installation.enrol(token=installation.token(place=PLACE))
    with installation.ledger.read() as c:
        after = estate.number(c)

    expected = Placement(reply.agent, NOW_MS, "19282", "tru-so", "cbcc", "enrolment")
    assert of(installation, reply.agent) == [expected]
    assert installation.placed == [expected]
    assert after > before


@pytest.mark.parametrize(
    ("asked", "granted", "expected"),
    [
        ("", "", ""),
        ("", "chung", "chung"),
        ("vien_chuc", "", "vien_chuc"),
        ("vien_chuc", "chung", "vien_chuc"),
        ("CBCC", "", "cbcc"),
        (" viên CHỨC ", "cbcc", "vien_chuc"),
        ("Cán bộ, công chức", "", "cbcc"),
    ],
)
def test_the_machine_says_whom_it_serves(
    installation: Installation, asked: str, granted: str, expected: str
) -> None:
    """The request's group goes before the token's; a name in any spelling is kept as the code."""
    token = installation.token(place={"staff_group": granted})
    reply = installation.enrol(token=token, staff_group=asked)

    (placement,) = of(installation, reply.agent)
    assert placement.staff_group == expected


def test_an_unknown_group_is_refused_with_those_there_are(installation: Installation) -> None:
    """Nothing is used up and nothing is made; the person can choose at once."""
    token = installation.token()
    with pytest.raises(EnrolRefused) as caught:
        installation.enrol(token=token, staff_group="can bo")

    assert caught.value.reason is EnrolRefusal.UNKNOWN_STAFF_GROUP
    assert (
        "there is no staff group 'can bo'; known are cbcc (Cán bộ, công chức), vien_chuc" in caught.value.hint
    )
    assert "\n" not in caught.value.hint
    with installation.ledger.read() as c:
        assert machines.every(c) == []
        assert [one.used for one in tokens.every(c)] == [0]
    assert installation.enrol(token=token, staff_group="cbcc").agent


def test_who_has_no_token_learns_nothing_of_the_groups(installation: Installation) -> None:
    """The token is looked at first."""
    with pytest.raises(EnrolRefused) as caught:
        installation.enroller.enrol(EnrolRequest("no-such", "1", staff_group="x"), NOW_MS)

    assert caught.value.reason is EnrolRefusal.TOKEN_UNKNOWN
    assert "cbcc" not in caught.value.hint


def test_a_machine_that_came_back_stays_where_it_was(installation: Installation) -> None:
    """A wiped machine has not moved, whatever the token and the line say; people may have placed it since."""
    first = installation.enrol(token=installation.token(place=PLACE), fingerprint=HARDWARE)
    moved = Placement(first.agent, NOW_MS + 1, "19285", "", "chung", "lan")
    with installation.ledger.write() as c:
        placements.put(c, moved)
    token = installation.token(place={"unit": "1", "site": "2", "staff_group": "vien_chuc"})
    again = installation.enrol(token=token, fingerprint=HARDWARE, staff_group="cbcc")

    assert (again.agent, again.recovered) == (first.agent, True)
    assert of(installation, first.agent)[1:] == [moved]


def test_two_groups_of_one_name_are_told_apart_by_code() -> None:
    """What could mean two is refused, the code of either is taken."""
    twins = (*STAFF_GROUPS, replace(STAFF_GROUPS[0], code="cbcc2"), StaffGroup("x", "Khác"))

    assert staff_group_of("cbcc2", twins) == "cbcc2"
    with pytest.raises(EnrolRefused):
        staff_group_of("cán bộ, công chức", twins)
    with pytest.raises(EnrolRefused, match="known are none"):
        staff_group_of("x", ())
