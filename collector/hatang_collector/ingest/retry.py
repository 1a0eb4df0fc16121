"""Dead letters taken in again, after an upgrade or an enrolment made them good."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from hatang_agent.wire import topics
from hatang_collector.ingest.deadletter import DeadLetters, Letter
from hatang_collector.ingest.pipeline import Pipeline
from hatang_collector.ingest.plan import Incoming
from hatang_collector.journal.projection import PROJECTION_FAILED, Advance

TAKEN = "taken in again"


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of one letter; ``refused`` is empty when it was taken in, else the reason."""

    letter: Letter
    refused: str = ""


def retry(
    letters: Iterable[Letter],
    deadletters: DeadLetters,
    pipeline: Pipeline,
    projections: Mapping[str, Advance],
    now_ms: Callable[[], int],
) -> Iterator[Retried]:
    """Try letters one by one; a letter is marked resolved only after its content is durable elsewhere.

    Taking one in twice (a crash in between) counts nothing twice: projections dedupe on run ids.
    Raises OSError when the journal cannot be written, StoreUnavailable when a projection's store is away.
    """
    for letter in letters:
        refused = (
            _projected(letter, projections)
            if letter.reason == PROJECTION_FAILED
            else _ingested(letter, pipeline)
        )
        if not refused:
            deadletters.resolve([letter.id], now_ms(), TAKEN)
        yield Retried(letter, refused)


def _ingested(letter: Letter, pipeline: Pipeline) -> str:
    if hashlib.sha256(letter.payload).hexdigest() != letter.digest:
        return "only a part of its bytes was kept"
    topic = topics.parse(letter.topic)
    # What is no report tells about a moment long gone: it is journaled as history, not as live.
    retained = topic is None or topic.kind != "report"
    plan = pipeline.plan([Incoming(letter.topic, letter.payload, retained, letter.arrived_ms)])
    if plan.letters:
        return f"{plan.letters[0].reason}: {plan.letters[0].detail}"
    pipeline.show(pipeline.commit(plan))
    return ""


def _projected(letter: Letter, projections: Mapping[str, Advance]) -> str:
    _, stream, index, name = letter.topic.split("/")
    if name not in projections:
        return f"there is no projection {name} any more"
    return projections[name].again(stream, int(index)) or ""
