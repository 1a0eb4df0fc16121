"""No acknowledged digest is missing after a power cut, wherever it came."""

from __future__ import annotations

import contextlib
from pathlib import Path
from random import Random

import pytest

from hatang_agent.wire import codec
from hatang_collector.ingest.deadletter import DeadLetters
from hatang_collector.ingest.pipeline import Pipeline
from hatang_collector.journal.streams import Journal
from ingest.ingest_support import NOW_MS, PC, PROBE, message, sealed
from support.forgetful import ForgetfulFiles, PowerCut


@pytest.mark.parametrize("seed", range(25))
def test_acked_digests_are_journaled_after_any_crash(seed: int, tmp_path: Path) -> None:
    """Batches for both streams, a cut at a random step, a new process: every answer given holds."""
    dice = Random(seed)
    files = ForgetfulFiles(dice)
    deadletters = DeadLetters(tmp_path / "dead.sqlite")
    acked: set[str] = set()
    seq = 0
    for _ in range(8):
        files.crash()
        journal = Journal(files, Path("/data/journal"), max_segment_bytes=4_000)
        pipeline = Pipeline(journal, deadletters, {PC: "pc", PROBE: "probe"}.get)
        pipeline.recover(NOW_MS)
        files.cut_after(dice.randint(1, 40))
        with contextlib.suppress(PowerCut):
            while True:
                agents = [dice.choice((PC, PROBE)) for _ in range(dice.randint(1, 5))]
                batch = [
                    message(sealed(seq + at, agent=agent), agent=agent) for at, agent in enumerate(agents, 1)
                ]
                seq += len(batch)
                for _, ack in pipeline.take(batch).acks:
                    acked.update(ack.journaled)
    files.crash()
    journal = Journal(files, Path("/data/journal"))
    found = []
    for stream in journal.streams.values():
        at = 0
        while entries := stream.read(at, 100):
            found += [codec.digest(entry.payload) for entry in entries]
            at = entries[-1].index + 1
    assert acked <= set(found)
    assert len(found) == len(set(found))
    assert len(acked) > 20
    deadletters.close()
