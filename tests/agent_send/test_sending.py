"""The sending rules on an injected clock: windows, back-off, holding, byte rate."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from hatang_agent.sending import (
    ACK_WAIT_MS,
    LONGEST_WAIT_MS,
    RESERVED_FOR_FRESH,
    WINDOW,
    Flow,
    Policy,
    Sender,
)

OPEN = Policy(fresh_for_ms=600_000, backlog_bytes_per_s=0, backlog_delay_ms=0, return_pause_ms=0)
MINUTE = 60_000


def never_random() -> float:
    """The smallest number ``random`` gives."""
    return 0.0


def sender(policy: Policy = OPEN) -> Sender:
    """A connected sender without jitter."""
    made = Sender(never_random, policy)
    made.connected(0)
    return made


def offer_many(
    to: Sender, count: int, *, fresh: bool, now: int = 0, first: int = 1, size: int = 1000
) -> list[str]:
    """Offer reports named by their number."""
    names = [f"{'f' if fresh else 'b'}{number}" for number in range(first, first + count)]
    for number, name in enumerate(names, first):
        to.offer(name, number, size, now, fresh=fresh)
    return names


def test_backlog_leaves_room_for_fresh() -> None:
    """Backlog takes six places, oldest first; two more are only for fresh reports, newest first."""
    one = sender()
    offer_many(one, 20, fresh=False)

    assert one.choose(0) == [f"b{n}" for n in range(1, 7)]
    offer_many(one, 3, fresh=True, first=100)
    assert one.choose(1) == ["f102", "f101"]
    assert one.in_flight == WINDOW
    assert one.choose(2) == []
    one.acknowledged(["f102", "b1"], 3)
    assert one.choose(3) == ["f100", "b7"]


def test_nothing_is_sent_without_a_path() -> None:
    """Before a connection and after it is lost nothing is chosen; a new one sends what was in flight."""
    one = Sender(never_random, OPEN)
    one.offer("a", 1, 10, 0, fresh=True)
    assert one.choose(0) == []
    assert not one.wants_fresh(0)
    assert one.next_ms(0) is None
    one.connected(5)
    assert one.choose(5) == ["a"]
    one.disconnected()
    assert one.choose(6) == []
    one.connected(7)
    assert one.choose(7) == ["a"]


def test_missing_acknowledgement_backs_off_to_15_minutes() -> None:
    """One report that is never acknowledged, while others are, is sent at doubling intervals."""
    one = sender()
    one.offer("lost", 1, 10, 0, fresh=True)
    sent = []
    for now in range(0, 3 * 3_600_000, 1000):
        sent += [now for digest in one.choose(now) if digest == "lost"]
        one.acknowledged([], now)
    waits = [after - before for before, after in itertools.pairwise(sent)]

    assert waits[:4] == [30_000, 60_000, 120_000, 240_000]
    assert max(waits) <= LONGEST_WAIT_MS
    assert waits[-1] > LONGEST_WAIT_MS / 2


def test_silence_stops_everything_but_a_probe() -> None:
    """When nothing is acknowledged, one report at doubling intervals probes, and an answer restarts all."""
    one = sender()
    offer_many(one, 30, fresh=False)
    sent = []
    for now in range(0, 3_600_000, 500):
        sent += [now for _ in one.choose(now)]
    assert sent[:6] == [0] * 6
    assert sent[6] == ACK_WAIT_MS
    assert len(sent) < 6 + 10
    stalled = one.flow
    one.acknowledged(["b1"], 3_600_000)
    assert (stalled, one.flow) == (Flow.STALLED, Flow.FLOWING)
    assert len(one.choose(3_600_000)) >= WINDOW - RESERVED_FOR_FRESH - 1


def test_nobody_listens_holds_back() -> None:
    """The broker's word that nobody listens stops at once; the hello starts at once."""
    one = sender()
    offer_many(one, 5, fresh=True)
    assert len(one.choose(0)) == 5
    for digest in ("f1", "f2", "f3", "f4", "f5"):
        one.refused(digest, 10)
    assert one.flow is Flow.HELD
    assert one.in_flight == 0
    assert not one.wants_fresh(20)
    assert one.choose(29_000) == []
    assert one.choose(30_010) == ["f5"]
    one.refused("f5", 30_020)
    assert one.choose(70_000) == []
    one.hello("c" * 16, 70_001)
    assert len(one.choose(70_001)) == 5


def test_new_collector_epoch_resets_with_a_random_pause() -> None:
    """When the collector comes back, all is due again, but spread: agents do not come at one instant."""
    firsts = []
    for seed in range(40):
        rng = random.Random(seed)
        one = Sender(rng.random, Policy(fresh_for_ms=24 * 60 * MINUTE))
        one.connected(0)
        one.hello("a" * 16, 0)
        one.offer("f", 1, 10, 0, fresh=True)
        assert one.choose(0) == ["f"]
        one.hello("b" * 16, 40 * MINUTE)
        assert one.choose(40 * MINUTE) in ([], ["f"])
        firsts.append(
            next(now for now in range(40 * MINUTE, 42 * MINUTE, 100) if one.in_flight or one.choose(now))
        )

    assert max(firsts) - min(firsts) > 5_000
    assert max(firsts) <= 40 * MINUTE + 10_100


def test_same_epoch_changes_nothing() -> None:
    """The retained hello of the epoch we know does not reset the back-off."""
    one = sender()
    one.hello("a" * 16, 0)
    one.offer("f", 1, 10, 0, fresh=True)
    assert one.choose(0) == ["f"]
    one.hello("a" * 16, 1)
    assert one.choose(1) == []


def test_backlog_waits_a_random_time() -> None:
    """After a connection fresh reports go at once, backlog after its delay."""
    one = Sender(lambda: 0.5, Policy(backlog_delay_ms=20_000))
    one.connected(0)
    offer_many(one, 1, fresh=True)
    offer_many(one, 1, fresh=False, first=2)

    assert one.choose(0) == ["f1"]
    assert one.next_ms(0) == 10_000
    assert one.choose(9_999) == []
    assert one.choose(10_000) == ["b2"]


def test_old_fresh_report_becomes_backlog() -> None:
    """A report that waited too long no longer takes a reserved place."""
    one = Sender(never_random, OPEN)
    offer_many(one, 10, fresh=True)
    one.connected(600_000)

    assert one.choose(600_000) == [f"f{n}" for n in range(1, 7)]


def test_unknown_answers_are_passed_over() -> None:
    """Answers for reports that are not known change nothing."""
    one = sender()
    one.refused("x", 1)
    one.gone(["x"])
    one.acknowledged(["x"], 1)

    assert one.known == 0
    assert one.flow is Flow.FLOWING


@given(rate=st.integers(1_000, 200_000), size=st.integers(100, 64_000), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_backlog_never_exceeds_its_byte_rate(rate: int, size: int, seed: int) -> None:
    """Over any time the backlog's bytes stay below the rate, one second ahead and one report."""
    rng = random.Random(seed)
    one = Sender(rng.random, Policy(backlog_bytes_per_s=rate, backlog_delay_ms=0, return_pause_ms=0))
    one.connected(0)
    now = number = sent = 0
    while now < 60_000:
        while one.wants_backlog(now):
            number += 1
            one.offer(str(number), number, size, now, fresh=False)
            chosen = one.choose(now)
            sent += size * len(chosen)
            one.acknowledged(chosen, now)
            assert sent <= rate * (now / 1000 + 1) + size
        now += 1 + rng.randrange(200)

    assert sent >= rate * 50 or size > rate


@dataclass
class World:
    """What the sender is told, and what it must hold to."""

    one: Sender
    now: int = 0
    number: int = 0
    fresh: dict[str, int] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    flying: dict[str, int] = field(default_factory=dict)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["fresh", "backlog", "ack", "refuse", "drop", "connect", "hello", "wait", "long"]),
        st.integers(0, 1 << 16),
    ),
    min_size=1,
    max_size=80,
)


@given(EVENTS, st.integers(0, 1 << 16))
@settings(max_examples=200, deadline=None)
def test_rules_hold_whatever_happens(events: list[tuple[str, int]], seed: int) -> None:
    """Window and waiting time hold under any order of events, and at the end everything goes out."""
    world = World(Sender(random.Random(seed).random, OPEN))
    for what, value in events:
        step(world, what, value)
        check(world)
    world.one.connected(world.now)
    world.flying.clear()
    for _ in range(10_000):
        if not world.waiting:
            break
        chosen = world.one.choose(world.now)
        world.one.acknowledged(chosen, world.now)
        world.waiting -= set(chosen)
        following = world.one.next_ms(world.now)
        world.now = max(world.now + 1, following or 0)

    assert not world.waiting


def step(world: World, what: str, value: int) -> None:
    """One event."""
    one = world.one
    if what in ("fresh", "backlog"):
        world.number += 1
        name = f"{what}{world.number}"
        one.offer(name, world.number, 100, world.now, fresh=what == "fresh")
        world.waiting.add(name)
        world.fresh[name] = world.now if what == "fresh" else -10_000_000
    elif what == "ack" and world.flying:
        name = sorted(world.flying)[value % len(world.flying)]
        one.acknowledged([name], world.now)
        world.waiting.discard(name)
        world.flying.pop(name)
    elif what == "refuse" and world.flying:
        name = sorted(world.flying)[value % len(world.flying)]
        one.refused(name, world.now)
        world.flying.pop(name)
    elif what == "drop":
        one.disconnected()
        world.flying.clear()
    elif what == "connect":
        one.connected(world.now)
        world.flying.clear()
    elif what == "hello":
        one.hello(f"{value % 3:016x}", world.now)
        world.flying = {name: at for name, at in world.flying.items() if one.in_flight}
    elif what in ("wait", "long"):
        world.now += value % (1_000 if what == "wait" else 2_000_000)


def check(world: World) -> None:
    """Choose, and compare with the rules."""
    for name in world.one.choose(world.now):
        assert name in world.waiting
        assert name not in world.flying or world.now >= world.flying[name] + ACK_WAIT_MS
        world.flying[name] = world.now
    world.flying = {name: at for name, at in world.flying.items() if world.now < at + ACK_WAIT_MS}
    assert world.one.in_flight <= WINDOW
    assert world.one.in_flight == len(world.flying)
