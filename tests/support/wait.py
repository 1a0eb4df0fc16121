"""Waiting for a condition with a deadline: the only place of the tests that lets time pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], deadline_s: float = 10.0, what: str = "", every_s: float = 0.02) -> T:
    """First truthy value of ``condition``; AssertionError naming ``what`` after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            message = f"not within {deadline_s:g} s: {what or condition}"
            raise AssertionError(message)
        time.sleep(every_s)


def pause(seconds: float, why: str) -> None:
    """Let time pass where the passing of time is what is tested; ``why`` says so at the call."""
    assert why
    time.sleep(max(0.0, seconds))
