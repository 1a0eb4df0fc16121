"""The world of the soak: a collector on InfluxDB, twenty agents, and a hand that kills at random."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from support.servers import Influx
from support.stack import Program, Stack

AGENTS = 20
SMALL = AGENTS - 1
"""Index of the agent whose outbox is too small for the long outage, so that it has to drop."""

CONFIG = """
[schedule]
sample_s = 1
first_spread_s = 0.5
[reporting]
report_s = 3
beat_s = 5
keepalive_s = 10
[outbox]
max_mb = {max_mb}
[probes.witness]
interval_s = 1
[probes.agent]
interval_s = 30
"""


class World:
    """Everything that runs, in one folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.kills: Counter[str] = Counter()
        influx_folder = folder / "influx"
        influx_folder.mkdir(parents=True)
        self.influx = Influx.make(influx_folder)
        self.stack = Stack(
            folder,
            HATANG_STORE_KIND="influxdb",
            HATANG_STORE_URL=self.influx.url,
            HATANG_STORE_DATABASE="soak",
        )
        self.agents: list[Program] = []
        self.ids: list[str] = []

    def witness(self, index: int) -> Path:
        """Where agent ``index`` writes down what it takes, outside its state folder."""
        return self.folder / f"witness-{index:02}.txt"

    def start(self) -> None:
        """Start everything; every agent is enrolled over the real path."""
        self.influx.start()
        self.stack.start()
        token = self.stack.token(uses=AGENTS)
        for index in range(AGENTS):
            state = self.folder / f"agent-{index:02}"
            state.mkdir()
            self.ids.append(self.stack.enrol(state, token, f"Máy {index}").agent)
            config = state / "agent.toml"
            config.write_text(CONFIG.format(max_mb=1 if index == SMALL else 20), encoding="utf-8")
            payload = 8 if index == SMALL else 0
            argv = ["-m", "soak.agent", str(state), str(config), str(self.witness(index))]
            program = Program([*argv, str(index + 1), str(payload)], state / "agent.log")
            program.start()
            self.agents.append(program)

    def broker_pid(self) -> int | None:
        """Process id of the collector's mosquitto, None while there is none."""
        for found in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = found.read_bytes().split(b"\0")
                cwd = (found.parent / "cwd").readlink()
            except OSError:
                continue
            if words[0].endswith(b"mosquitto") and cwd.is_relative_to(self.stack.data):
                return int(found.parent.name)
        return None

    def stop(self) -> None:
        """End everything that was started."""
        for agent in self.agents:
            agent.kill()
        self.stack.stop()
        self.influx.stop()
