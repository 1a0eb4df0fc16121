"""Doing many things at once under one deadline, and leaving behind what hangs.

A name server that is dead, a disk that does not answer or a tool that waits for a key cannot be
interrupted from outside. Each job runs on a daemon thread; what has not ended in time is left to it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hatang_agent.checkup import Finding, Words


@dataclass(frozen=True, slots=True)
class Job:
    """Something to find out. ``late`` is said when it has not ended in time."""

    name: Words
    find: Callable[[], Sequence[Finding]]
    late: Finding


@dataclass(frozen=True, slots=True)
class Done:
    """What one job brought; ``number`` is its place in the list."""

    number: int
    findings: Sequence[Finding]


def work(jobs: Sequence[Job], at_once: int, left_s: Callable[[], float]) -> Iterator[Done]:
    """Run the jobs in their order, some at once; yields each as it ends, the late ones last.

    ``left_s`` tells the seconds until the deadline. A job that breaks counts as late; its fault is
    shown by the thread it ran on.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    ended: queue.SimpleQueue[Done] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    for _ in range(min(at_once, len(jobs))):
        threading.Thread(target=_take, args=(jobs, waiting, ended), name="check-up", daemon=True).start()
    open_jobs = set(range(len(jobs)))
    while open_jobs:
        try:
            found = ended.get(timeout=max(left_s(), 0.001))
        except queue.Empty:
            break
        open_jobs.discard(found.number)
        yield found
    for number in sorted(open_jobs):
        yield Done(number, [jobs[number].late])


def _take(
    jobs: Sequence[Job],
    waiting: queue.SimpleQueue[int],
    ended: queue.SimpleQueue[Done],
) -> None:
    while True:
        try:
            number = waiting.get_nowait()
        except queue.Empty:
            return
        findings: Sequence[Finding] = [jobs[number].late]
        try:
            findings = jobs[number].find()
        finally:
            ended.put(Done(number, findings))
