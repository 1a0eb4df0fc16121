"""TLS to a real broker: the given authority and the host name decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_send.agent_send_app import credential, running, settings
from agent_send.certificates import Authority
from agent_send.fake_collector import FakeCollector
from hatang_agent.outbox_reading import look_into
from support.servers import Mosquitto, free_port
from support.wait import until


def secured(mosquitto: Mosquitto, folder: Path, authority: Authority, host: str) -> int:
    """Restart the broker with a second listener that speaks TLS; its port."""
    port = free_port()
    certificate, key = authority.server_files(folder, host)
    mosquitto.stop()
    with Path(mosquitto.argv[-1]).open("a", encoding="utf-8") as configuration:
        configuration.write(f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n")
    mosquitto.start()
    return port


def test_reports_travel_encrypted(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """With the right authority and name the agent connects and reports."""
    authority = Authority.make()
    port = secured(mosquitto, tmp_path, authority, "127.0.0.1")
    collector = FakeCollector(mosquitto.port).start()
    with running(tmp_path / "a", credential(port, tls=True, ca_pem=authority.pem)):
        until(lambda: collector.ids(), what="a run over TLS")
    collector.stop()


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_untrusted_broker_gets_nothing(
    mosquitto: Mosquitto, tmp_path: Path, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another authority or another name: no login, no report, one log line, and the runs are kept."""
    authority = Authority.make()
    trusted = Authority.make() if wrong == "authority" else authority
    port = secured(mosquitto, tmp_path, authority, "127.0.0.1" if wrong == "authority" else "other.example")
    collector = FakeCollector(mosquitto.port).start()
    with running(tmp_path / "a", credential(port, tls=True, ca_pem=trusted.pem), settings(report_s=0.3)):
        until(lambda: "certificate verify failed" in caplog.text, what="the refusal in the log")
        until(lambda: (counts := look_into(tmp_path / "a")) and counts.runs >= 3, what="kept runs")
    collector.stop()

    assert not collector.births
    assert not collector.deliveries
    assert caplog.text.count("cannot connect") == 1
