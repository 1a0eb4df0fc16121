"""The condition of a disk in one word with its reason: good, warning, failing or unreadable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hatang_agent.system import Output

GOOD = "good"
WARNING = "warning"
FAILING = "failing"
UNREADABLE = "unreadable"

WORN_OUT_SOON = 90
"""Percent of an SSD's rated writes after which it is to be replaced."""

MAX_REASON = 200
_DISK_FAILING, _BELOW_THRESHOLD, _WAS_BELOW = 1 << 3, 1 << 4, 1 << 5  # smartctl(8), EXIT STATUS


@dataclass(frozen=True, slots=True)
class Health:
    """A word and what it rests on."""

    state: str
    reason: str


def of_smartctl(output: Output) -> Health:
    """The verdict of ``smartctl -H -j``; see smartctl(8). Never good without the disk's own word."""
    try:
        found = json.loads(output.stdout)
        status, told = found.get("smart_status"), found.get("smartctl", {})
        passed = status.get("passed") if isinstance(status, dict) else None
        messages = [str(one["string"]) for one in told.get("messages", [])]
    except (ValueError, AttributeError, KeyError, TypeError):
        return Health(UNREADABLE, f"smartctl printed no JSON: {output.stdout.strip()!r}"[:MAX_REASON])
    if passed is False or output.exit & _DISK_FAILING:
        return Health(FAILING, "SMART self-assessment failed")
    if passed is None:
        reason = "; ".join(messages) or f"smartctl gave no verdict, exit status {output.exit}"
        return Health(UNREADABLE, reason[:MAX_REASON])
    if output.exit & _BELOW_THRESHOLD:
        return Health(WARNING, "SMART attributes are at or below their threshold")
    if output.exit & _WAS_BELOW:
        return Health(WARNING, "SMART attributes were at or below their threshold")
    return Health(GOOD, "SMART self-assessment passed")


def of_windows(status: int | None, wear: int | None, predicts_failure: Any) -> Health:
    """The verdict of Windows; None for each value that was not told.

    They are MSFT_PhysicalDisk.HealthStatus, MSFT_StorageReliabilityCounter.Wear (percent) and
    MSStorageDriver_FailurePredictStatus.PredictFailure.
    """
    if predicts_failure is True or status == 2:
        return Health(FAILING, "the disk predicts its failure" if predicts_failure else "HealthStatus 2")
    if status == 1:
        return Health(WARNING, "HealthStatus 1")
    if wear is not None and wear >= WORN_OUT_SOON:
        return Health(WARNING, f"Wear {wear} %")
    if status == 0:
        return Health(GOOD, "HealthStatus 0" if wear is None else f"HealthStatus 0, Wear {wear} %")
    if status is None and predicts_failure is False:
        return Health(GOOD, "the disk predicts no failure")
    return Health(UNREADABLE, "Windows tells no health" if status is None else f"HealthStatus {status}")
