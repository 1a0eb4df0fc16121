"""Parts ``ingest`` and ``store``: one stage of the collector at a time, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence

from bench.figures import Figure, at_least, at_most, say, scaled
from support.stack import ROOT, environment

_ALONE = "this part of the collector alone, in a process of its own"
_REPEATS = 3


def ingest() -> list[Figure]:
    """Journaling and acknowledging alone: no ledger, no series, no pages."""
    runs = [_lines("bench_ingest.py", "--reports", str(int(scaled(30_000)))) for _ in range(_REPEATS)]
    part = "ingest alone"
    figures = [
        Figure(
            part,
            "journaled and acked",
            _all(runs, r"journaled and acked +([\d.]+)"),
            "reports/s",
            at_least(3_000),
            _ALONE,
        ),
        Figure(part, "CPU", _all(runs, r"collector CPU +([\d.]+)"), "us/report", note=_ALONE),
        Figure(part, "RSS peak", _all(runs, r"collector peak memory +([\d.]+)"), "MB", at_most(512), _ALONE),
    ]
    for stage in ("decode", "journal", "ack", "live", "puback"):
        figures.append(
            Figure(part, f"stage {stage}", _all(runs, rf"^ +{stage} +([\d.]+)"), "us/report", note=_ALONE)
        )
    return figures


def store() -> list[Figure]:
    """Projecting series and rollups alone, into both stores."""
    runs = [_lines("bench_store.py", "--reports", str(int(scaled(20_000))), "--runs", "2")]
    part = "store alone"
    figures = []
    for stage in ("decode", "points", "check", "lines"):
        figures.append(
            Figure(
                part,
                f"stage {stage}",
                _all(runs, rf"^{stage} .* ([\d,]+) us/report"),
                "us/report",
                note=_ALONE,
            )
        )
    for name, target in (("embedded", 1_000), ("influxdb 1.6.7", 2_000)):
        for what, wanted in (
            ("series alone", at_least(target)),
            ("rollups alone", None),
            ("series and rollups", at_least(target)),
        ):
            found = _all(runs, rf"^{re.escape(name)}: {what} +([\d,]+) reports/s")
            figures.append(Figure(part, f"{name}: {what}", found, "reports/s", wanted, _ALONE))
    return figures


def _lines(program: str, *options: str) -> str:
    say(f"{program} {' '.join(options)}")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "bench" / program), *options],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=600,
    )
    if done.returncode:
        message = f"{program} failed: {done.stderr[-2000:]}"
        raise RuntimeError(message)
    return done.stdout


def _all(outputs: Sequence[str], pattern: str) -> tuple[float, ...]:
    found = [re.search(pattern, output, re.MULTILINE) for output in outputs]
    return tuple(float(one[1].replace(",", "")) for one in found if one)
