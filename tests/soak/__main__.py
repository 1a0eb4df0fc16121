"""``make soak``: SOAK_MINUTES (10) of kill -9 at random moments, then the count. Exit code 1 on any loss.

SOAK_SEED repeats a run's choices; SOAK_KILLS (110) is how many kills are spread over the time;
SOAK_FOLDER keeps everything for a look afterwards. SOAK_STORE_AWAY_S stops the series store for so
many seconds before the killing and watches that acknowledgements go on meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "agent"), str(ROOT / "collector"), str(ROOT / "tests")]

from hatang_agent.outbox_reading import look_into  # noqa: E402 - after the path
from soak.count import Count, count  # noqa: E402
from soak.world import AGENTS, World  # noqa: E402
from support.wait import pause, until  # noqa: E402

AWAY_S = (0.2, 3.0)
LONG_OUTAGE_S = 90.0
SETTLE_S = 240.0
ACKS_GO_ON_S = 30.0
QUIET_S = 5.0


def say(text: str) -> None:
    """One line with the time."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def kill_one(world: World) -> float:
    """Kill something and start it again; how many seconds that took."""
    begun = time.monotonic()
    kind = world.random.choices(("agent", "collector", "broker", "store"), (60, 15, 15, 10))[0]
    away_s = world.random.uniform(*AWAY_S)
    if kind == "agent":
        program = world.agents[world.random.randrange(AGENTS)]
        program.kill()
        pause(away_s, "it stays away for a while")
        program.start()
    elif kind == "collector":
        world.stack.collector.kill()
        pause(away_s, "it stays away for a while")
        world.stack.start()
    elif kind == "broker":
        pid = world.broker_pid()
        if pid is None:
            return time.monotonic() - begun
        os.kill(pid, signal.SIGKILL)
    else:
        world.influx.kill()
        pause(away_s, "it stays away for a while")
        world.influx.start()
    world.kills[kind] += 1
    return time.monotonic() - begun


def long_outage(world: World) -> None:
    """The collector away for long enough that the small outbox has to drop."""
    say(f"the collector is away for {LONG_OUTAGE_S:.0f} s")
    world.stack.collector.kill()
    world.kills["collector"] += 1
    pause(LONG_OUTAGE_S, "long enough to fill the small outbox")
    world.stack.start()


def store_away(world: World, seconds: float) -> None:
    """The series store away for long, nothing else harmed: no outbox may grow meanwhile."""
    say(f"the series store is away for {seconds:.0f} s")
    world.influx.kill()
    end = time.monotonic() + seconds
    oldest_s = 0.0
    while time.monotonic() < end:
        pause(2.0, "between two looks at the outboxes")
        now_ms = time.time_ns() // 1_000_000
        for index in range(AGENTS):
            found = look_into(world.folder / f"agent-{index:02}")
            if found is not None and found.oldest_ms is not None:
                oldest_s = max(oldest_s, (now_ms - found.oldest_ms) / 1000)
    world.influx.start()
    say(f"store back; the longest wait for an acknowledgement meanwhile was {oldest_s:.1f} s")
    assert oldest_s < ACKS_GO_ON_S, "acknowledgements stopped with the series store"


def torment(world: World, minutes: float, kills: int) -> None:
    """Kill at random moments, evenly over the time."""
    end = time.monotonic() + minutes * 60
    outage_at = time.monotonic() + minutes * 60 / 2
    outage_done = False
    while (now := time.monotonic()) < end:
        if not outage_done and now > outage_at:
            long_outage(world)
            outage_done = True
        left = max(1, kills - sum(world.kills.values()))
        share = max(0.0, (end - time.monotonic()) / left)
        took = kill_one(world)
        rest = min(world.random.uniform(0, 2) * share - took, end - time.monotonic())
        pause(rest, "until the next random moment")
        if sum(world.kills.values()) % 10 == 0:
            say(f"{sum(world.kills.values())} kills: {dict(world.kills)}")
        if sum(world.kills.values()) >= kills and outage_done:
            break


def settle(world: World) -> None:
    """End the taking of numbers, wait until everything is on the collector's side, stop the agents."""
    ended = [agent.log for agent in world.agents if not agent.running]
    assert not ended, f"agents ended by themselves: {ended}"
    (world.folder / "quiet").touch()
    pause(QUIET_S, "a number being taken now is in an outbox by then")
    quiet_ms = time.time_ns() // 1_000_000
    with contextlib.suppress(AssertionError):  # what did not arrive in time is counted as lost
        until(lambda: empty(world, quiet_ms), SETTLE_S, "the outboxes are empty", every_s=1.0)
    for agent in world.agents:
        agent.stop()


def empty(world: World, since_ms: int) -> bool:
    """Whether no outbox holds anything older than that time."""
    counts = [look_into(world.folder / f"agent-{index:02}") for index in range(AGENTS)]
    return all(found is not None and (found.oldest_ms or since_ms) >= since_ms for found in counts)


def main() -> int:
    """Run the soak; 0 when nothing was lost and nothing counted twice."""
    minutes = float(os.environ.get("SOAK_MINUTES", "10"))
    kills = int(os.environ.get("SOAK_KILLS", "110"))
    seed = int(os.environ.get("SOAK_SEED", str(int(time.time()))))
    away_s = float(os.environ.get("SOAK_STORE_AWAY_S", "0"))
    folder = os.environ.get("SOAK_FOLDER")
    with tempfile.TemporaryDirectory(prefix="hatang-soak-") as temporary:
        world = World(Path(folder or temporary), seed)
        say(f"seed {seed}, {minutes:g} minutes, {AGENTS} agents, folder {world.folder}")
        try:
            world.start()
            if away_s > 0:
                store_away(world, away_s)
            torment(world, minutes, kills)
            say(f"{sum(world.kills.values())} kills: {dict(world.kills)}; waiting for what is on its way")
            settle(world)
            world.stack.collector.stop()
            witnesses = {agent: world.witness(index) for index, agent in enumerate(world.ids)}
            result = count(world.stack.data, world.stack.settings, witnesses)
        finally:
            world.stop()
    return tell(result, sum(world.kills.values()))


def tell(result: Count, kills: int) -> int:
    """Print the figures; the exit code."""
    say(json.dumps({"kills": kills, **result.plain()}, ensure_ascii=False, indent=1))
    bad = result.lost or result.duplicate or result.problems
    told = f"{result.dropped_and_told} dropped and told as gaps"
    say(f"{result.lost} lost, {result.duplicate} duplicate, {told}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
