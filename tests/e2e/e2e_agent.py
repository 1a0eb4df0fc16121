"""The real agent with a probe of the test, which writes down outside what it takes.

``python -m e2e.e2e_agent STATE CONFIG WITNESS INDEX [capped]``. The witness file is that of
``soak.agent``: one line for each number taken, fsynced before the run is handed over; a file
``quiet`` beside it ends the taking. A file ``door`` beside it is what the probe ``door`` reports
as a fact. Reports that waited are sent without the default's random pauses, and without its cap
on their bytes per second unless ``capped``.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hatang_agent import config, registry
from hatang_agent.app import App
from hatang_agent.identity import StateLock, load_credential
from hatang_agent.registry import Context, Field, Probe, Result
from hatang_agent.sending import Policy
from hatang_agent.system import LocalSystem
from hatang_agent.wire.messages import Farewell
from hatang_agent.wire.report import Fact, Sample
from soak.agent import witness_probe

HURRY = Policy(fresh_for_ms=60_000, backlog_bytes_per_s=0, backlog_delay_ms=500, return_pause_ms=500)
CAPPED = Policy(fresh_for_ms=120_000, backlog_delay_ms=500, return_pause_ms=500)


@dataclass(frozen=True, slots=True)
class Config:
    """Nothing to set."""


def door_probe(path: Path) -> Probe:
    """A probe whose fact changes when the file does."""

    def measure(_context: Context) -> Result:
        state = path.read_text(encoding="utf-8").strip() if path.exists() else "closed"
        return Result([Sample("door.open", float(state == "open"), "")], [Fact("door", "", {"state": state})])

    fields = (
        Field("door.open", "Cửa mở", "1 when it is open"),
        Field("door.state", "Trạng thái cửa", "State of the door", fact=True),
    )
    return Probe("door", "", Config, 1.0, 5.0, frozenset({"pc", "probe"}), fields, measure)


def main() -> int:
    """Run until a signal, as ``hatang-agent run`` does."""
    folder, settings, witness = (Path(argument) for argument in sys.argv[1:4])
    policy = CAPPED if "capped" in sys.argv else HURRY
    system = LocalSystem()
    probes = {
        "agent": registry.probes()["agent"],
        "door": door_probe(witness.with_name("door")),
        "witness": witness_probe(witness, int(sys.argv[4]), 0),
    }
    chosen = config.load_file(settings, system, probes)
    credential = load_credential(folder)
    assert credential is not None, "not enrolled"
    with StateLock(folder):
        app = App(system, folder, credential, chosen, probes, policy)
        stop: Callable[..., None] = lambda *_: app.stop(Farewell.STOP)  # noqa: E731
        signal.signal(signal.SIGTERM, stop)
        return app.run()


if __name__ == "__main__":
    sys.exit(main())
