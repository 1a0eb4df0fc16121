"""``make bench``: measures speed and size and prints one table of figures beside their targets.

Environment: BENCH_ONLY=name[,name] picks parts; BENCH_SECONDS (330) is the length of the longest
part, everything else is scaled with it; BENCH_AGENTS (200) is the size of the fleet.
A figure that misses its target is printed as such; the exit code is 1 only when a part could not run.

Parts:
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "agent"), str(ROOT / "collector"), str(ROOT / "tests")]

from bench import fleet, footprint, stages, whole  # noqa: E402 - after the path
from bench.figures import Figure, say, table  # noqa: E402
from support.servers import program  # noqa: E402

PARTS: dict[str, tuple[Callable[[], list[Figure]], str, tuple[str, ...]]] = {
    "agent": (footprint.measure, "memory, CPU, start and bytes on the wire of one agent", ("mosquitto",)),
    "ingest": (stages.ingest, "journaling and acknowledging alone, by stage", ("mosquitto",)),
    "store": (stages.store, "series and rollups alone, into both stores, by stage", ()),
    "collector": (whole.embedded, "a whole collector under load, embedded store", ("mosquitto",)),
    "influxdb": (whole.influxdb, "a whole collector under load, InfluxDB 1.6.7", ("mosquitto", "influxdb")),
    "return": (fleet.with_its_broker, "collector and broker return to a waiting fleet", ("mosquitto",)),
    "return-broker": (fleet.broker_stays, "the collector returns, the broker had stayed", ("mosquitto",)),
}


def chosen() -> list[str]:
    """Names of the parts to run. Ends the program on an unknown one."""
    names = [name for name in os.environ.get("BENCH_ONLY", "").replace(" ", "").split(",") if name]
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"BENCH_ONLY: no part is called {unknown[0]!r}; there are {', '.join(PARTS)}")
    return names or list(PARTS)


def main() -> int:
    """Run the parts and print the table; 1 when a part could not run."""
    listing = "\n".join(f"  {name:<14} {what}" for name, (_, what, _) in PARTS.items())
    argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=(__doc__ or "") + listing,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    names = chosen()
    figures: list[Figure] = []
    failed = []
    for name in names:
        run, what, servers = PARTS[name]
        if missing := [server for server in servers if program(server) is None]:
            say(f"{name}: skipped, {missing[0]} is not installed (apt-get install {missing[0]})")
            continue
        say(f"{name}: {what}")
        try:
            figures += run()
        except Exception:  # noqa: BLE001 - the other parts are still worth having
            traceback.print_exc()
            failed.append(name)
    python, system = platform.python_version(), f"{platform.system()} {platform.release()}"
    machine = f"{os.cpu_count()} cores, {system}, Python {python}"
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    sys.stdout.write(f"\n{table(figures)}\n\n{machine}; load average at the end {load}\n")
    if failed:
        sys.stdout.write(f"could not run: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
