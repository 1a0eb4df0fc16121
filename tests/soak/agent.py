"""An agent whose only measurement is a witnessed number: what is taken is written down outside, first.

``python -m soak.agent STATE CONFIG WITNESS INDEX PAYLOAD``. The witness file holds one line
``start`` for each process start and one number for each run taken, fsynced before the run is
handed to the outbox. A file ``quiet`` beside it ends the taking. PAYLOAD parts of
4,000 random letters make runs large, to fill a small outbox.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hatang_agent import config, registry
from hatang_agent.app import App
from hatang_agent.identity import StateLock, load_credential
from hatang_agent.registry import Context, Field, NoData, Probe, Result
from hatang_agent.system import LocalSystem
from hatang_agent.wire.messages import Farewell
from hatang_agent.wire.report import Fact, Sample

PART_BYTES = 4_000
SHARE = 1_000_000_000
"""Numbers of agent i start at i * SHARE, so that a number names its agent."""


@dataclass(frozen=True, slots=True)
class Config:
    """Nothing to set."""


def witness_probe(path: Path, index: int, payload: int) -> Probe:
    """The probe that writes down what it takes."""
    taken = 0
    quiet = path.with_name("quiet")
    if path.exists():
        taken = sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.isdigit())
    witness = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(witness, b"start\n")

    def measure(_context: Context) -> Result:
        nonlocal taken
        if quiet.exists():
            raise NoData("asked to be quiet")
        taken += 1
        number = index * SHARE + taken
        os.write(witness, b"%d\n" % number)
        os.fsync(witness)
        filling = {f"filling{part}": secrets.token_hex(PART_BYTES // 2) for part in range(payload)}
        facts = [Fact("witness", "", {"number": number, **filling})]
        return Result([Sample("witness.number", float(number), "")], facts)

    fields = (
        Field("witness.number", "Số thứ tự", "Number of the run"),
        Field("witness.number", "Số thứ tự", "Number of the run", fact=True),
        *(Field(f"witness.filling{part}", "Phần đệm", "Filling", fact=True) for part in range(payload)),
    )
    return Probe("witness", "", Config, 1.0, 5.0, frozenset({"pc", "probe"}), fields, measure)


def main() -> int:
    """Run until a signal, as ``hatang-agent run`` does."""
    folder, settings, witness = (Path(argument) for argument in sys.argv[1:4])
    index, payload = int(sys.argv[4]), int(sys.argv[5])
    system = LocalSystem()
    known = registry.probes()
    probes = {"agent": known["agent"], "witness": witness_probe(witness, index, payload)}
    chosen = config.load_file(settings, system, probes)
    credential = load_credential(folder)
    assert credential is not None, "not enrolled"
    with StateLock(folder):
        app = App(system, folder, credential, chosen, probes)
        stop: Callable[..., None] = lambda *_: app.stop(Farewell.STOP)  # noqa: E731
        signal.signal(signal.SIGTERM, stop)
        return app.run()


if __name__ == "__main__":
    sys.exit(main())
