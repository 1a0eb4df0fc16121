"""The broker as a child: it starts, comes back, ends, and what stands in its way is said in one line."""

from __future__ import annotations

import json
import logging
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.lab import Installation, Peers
from hatang_collector.broker import conf, process
from hatang_collector.broker.addresses import told_host
from hatang_collector.broker.child import FIRST_DELAY_S, MAX_DELAY_S, restart_delay_s
from hatang_collector.broker.contract import BrokerError
from hatang_collector.broker.embedded import EmbeddedBroker
from support.servers import listening
from support.wait import until


def test_an_agent_enrolled_before_a_restart_connects_after_it(
    installation: Installation, peers: Peers
) -> None:
    """A stop and a start of the collector keep every account."""
    reply = installation.enrol()
    installation.broker.stop()
    installation.start()

    assert installation.connect(peers, reply).refused == ""


def test_the_brokers_folder_may_be_wiped(installation: Installation, peers: Peers) -> None:
    """With nothing but ledger and keys left, the same credentials and the same CA still connect."""
    replies = [installation.enrol(f"máy {number}") for number in range(3)]
    installation.wipe()
    installation.start()

    assert [installation.connect(peers, reply).refused for reply in replies] == ["", "", ""]
    assert {installation.broker.ca_pem()} == {reply.ca_pem for reply in replies}


def test_the_folder_may_be_wiped_while_the_broker_runs(installation: Installation, peers: Peers) -> None:
    """Wiped under a running broker, which is then killed: it comes back with every account."""
    reply = installation.enrol()
    shutil.rmtree(installation.folder)
    kill(installation.broker)

    assert installation.connect(peers, reply).refused == ""


def kill(broker: EmbeddedBroker) -> None:
    """Kill the broker with -9 and wait until the next one is there and was compared with the ledger."""
    former = broker.pid
    rounds = broker.rounds
    assert former is not None
    os.kill(former, signal.SIGKILL)
    until(lambda: broker.pid not in (None, former) and broker.health().running, what="a new broker")
    until(lambda: broker.rounds > rounds, what="accounts compared")


def test_a_killed_broker_comes_back(
    installation: Installation, peers: Peers, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed with -9 twice: each time it is told once, back by itself, and agents connect as before."""
    reply = installation.enrol()
    kill(installation.broker)
    kill(installation.broker)

    assert installation.connect(peers, reply).refused == ""
    assert installation.broker.health().restarts == 2
    told = [record.levelname for record in caplog.records if record.name.endswith("broker.child")]
    assert told == ["ERROR", "WARNING", "ERROR", "WARNING"]
    assert installation.enrol("sau đó").agent


def test_an_account_the_broker_lost_is_there_again(installation: Installation, peers: Peers) -> None:
    """Accounts deleted or added behind our back are put right when the broker was away."""
    reply = installation.enrol()
    stray = "b" * 16
    installation.broker.accounts.grant(stray, "00" * 32)
    installation.broker.accounts.revoke(reply.agent)
    kill(installation.broker)

    clients = json.loads((installation.folder / conf.DYNSEC).read_bytes())["clients"]
    names = {client["username"] for client in clients}
    assert installation.connect(peers, reply).refused == ""
    assert reply.agent in names
    assert stray not in names


def test_a_damaged_accounts_file_is_made_anew(installation: Installation, peers: Peers) -> None:
    """Half a file, as a full disk leaves it, does not keep the broker from coming back."""
    reply = installation.enrol()
    (installation.folder / conf.DYNSEC).write_bytes(b'{"clients": [')
    kill(installation.broker)

    assert installation.connect(peers, reply).refused == ""


def test_a_damaged_message_store_is_put_aside(
    installation: Installation, peers: Peers, caplog: pytest.LogCaptureFixture
) -> None:
    """What a power cut leaves of it does not keep the broker down, at a start and at a restart."""
    reply = installation.enrol()
    installation.broker.stop()
    (installation.folder / conf.STORE).write_bytes(b"half a store")
    installation.start()
    until(lambda: installation.broker.rounds > 0, what="accounts compared")
    (installation.folder / conf.STORE).write_bytes(b"\x00\xb5\x00mosquitto db and then nonsense")
    kill(installation.broker)

    assert installation.connect(peers, reply).refused == ""
    assert caplog.text.count("message store was damaged and is kept as mosquitto.damaged") == 2


def test_a_start_that_fails_leaves_nothing_running(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What mosquitto itself says is in the error, and the next start works."""
    installation.broker.stop()
    good = conf.configuration
    with monkeypatch.context() as patched:
        patched.setattr(conf, "configuration", lambda *given: good(*given) + "no_such_setting 1\n")
        with pytest.raises(
            BrokerError, match=r"^mosquitto ended at once \(exit code 3\): Error: Unknown conf.*no_such"
        ):
            installation.start()

    assert process.orphans(installation.folder) == []
    assert installation.start().health().running


def test_a_port_of_roots_is_named_with_its_setting() -> None:
    """As root the check would pass, but the broker that gave root away could not listen."""
    with pytest.raises(BrokerError, match=r"port 443 is kept for programs of root.*set \[broker\] port"):
        process.check_port("127.0.0.1", 443, privileged=False)


def test_stopping_ends_the_process_and_frees_the_port(installation: Installation) -> None:
    """After stop() no broker runs and nothing listens; a second stop() changes nothing."""
    pid = installation.broker.pid
    assert pid is not None
    installation.broker.stop()
    installation.broker.stop()

    assert not Path(f"/proc/{pid}").exists()
    assert not listening(installation.port)
    assert not installation.broker.health().running


def test_a_taken_port_is_named_with_its_setting(installation: Installation) -> None:
    """A port in other hands is one line: which port, and what to change."""
    installation.broker.stop()
    with socket.socket() as other:
        other.bind(("127.0.0.1", installation.port))
        other.listen()
        expected = (
            f"port {installation.port} is taken by another program; set [broker] port in collector.toml"
        )

        with pytest.raises(BrokerError, match=re.escape(expected)):
            installation.start()


@pytest.mark.parametrize("host", ["192.0.2.7", "no such host.invalid"])
def test_an_address_of_another_machine_is_named_with_its_setting(host: str) -> None:
    """An address that is not ours is told as such, not as a taken port."""
    with pytest.raises(
        BrokerError, match=rf"^{host} is not an address.*set \[broker\] host in collector.toml"
    ):
        process.check_port(host, 8883)


def test_a_missing_mosquitto_is_told_with_the_way_to_get_it(tmp_path: Path) -> None:
    """Without the program, and without its plugin, one line says what to install."""
    with pytest.raises(
        BrokerError, match=r"^mosquitto is not installed; install it.*apt-get install mosquitto"
    ):
        conf.find_program(path=str(tmp_path))
    (tmp_path / "mosquitto").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "mosquitto").chmod(0o755)
    with pytest.raises(BrokerError, match=r"not its mosquitto_dynamic_security.so"):
        conf.find_program(path=str(tmp_path), libraries=tmp_path)


def test_two_collectors_do_not_share_a_folder(installation: Installation, peers: Peers) -> None:
    """A second collector on the same data is refused and leaves the first one's broker alone."""
    reply = installation.enrol()
    second = EmbeddedBroker(
        installation.folder,
        installation.keys,
        installation.ledger,
        installation.vault,
        agents_listener=("127.0.0.1", installation.port),
    )

    with pytest.raises(BrokerError, match="another collector uses"):
        second.start()
    assert installation.connect(peers, reply).refused == ""


COLLECTOR = """
import encodings.ascii, encodings.idna, os, sys
from pathlib import Path
from hatang_collector.broker.embedded import EmbeddedBroker
from hatang_collector.broker.vault import Vault
from hatang_collector.ledger.engine import Ledger
folder, port, uid = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
ledger = Ledger(f"sqlite:///{folder}/ledger.db")
ledger.migrate()
if uid != os.geteuid():  # only now: the interpreter itself may lie where that user cannot read
    for file in (folder, *folder.iterdir()):
        os.chown(file, uid, uid)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
broker = EmbeddedBroker(folder / "data" / "mosquitto", folder / "keys", ledger,
                        Vault(folder / "keys" / "vault.key"), agents_listener=("127.0.0.1", port))
broker.start()
print(broker.pid, flush=True)
sys.stdin.read()
broker.stop()
"""


@contextmanager
def collector_process(
    folder: Path, port: int, uid: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A collector of its own process, and its broker's process id; killed at the end."""
    argv = [
        sys.executable,
        "-c",
        COLLECTOR,
        str(folder),
        str(port),
        str(os.geteuid() if uid is None else uid),
    ]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as found:
        assert found.stdout is not None
        try:
            yield found, int(found.stdout.readline())
        finally:
            found.kill()


def is_running(pid: int) -> bool:
    """Whether a process lives; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def status_of(pid: int | None, field: str) -> list[str]:
    """Words of one line of a process's status."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(line.split()[1:] for line in lines if line.startswith(f"{field}:"))


def test_the_broker_ends_with_a_killed_collector(installation: Installation, tmp_path: Path) -> None:
    """The collector killed with -9 takes its broker along."""
    installation.broker.stop()
    with collector_process(tmp_path, installation.port) as (collector, pid):
        assert is_running(pid)
        collector.kill()

        until(lambda: not is_running(pid), what="the broker to end")


@pytest.mark.parametrize("wiped", [False, True])
def test_an_orphan_does_not_block_the_next_start(
    installation: Installation,
    peers: Peers,
    wiped: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broker that outlived its collector is ended by the next start, which takes its port."""
    reply = installation.enrol()
    installation.broker.stop()
    orphan = subprocess.Popen(
        [str(conf.find_program().mosquitto), "-c", conf.CONFIGURATION],
        cwd=installation.folder,
        stderr=subprocess.DEVNULL,
        user=None if (owner := process.run_as()) is None else owner.uid,
    )
    with orphan:
        until(lambda: listening(installation.port), what="the orphan")
        if wiped:
            shutil.rmtree(installation.folder)
        installation.start()

        assert orphan.wait(5) in (0, -signal.SIGTERM)
    assert "ended 1 broker left by a collector that was killed" in caplog.text
    assert installation.connect(peers, reply).refused == ""


def test_somebody_elses_mosquitto_is_left_alone(tmp_path: Path, installation: Installation) -> None:
    """Only a broker that runs in our folder is an orphan."""
    assert process.orphans(installation.folder) == [installation.broker.pid]
    assert process.orphans(tmp_path) == []


def test_started_as_root_it_runs_as_mosquitto(installation: Installation) -> None:
    """A flaw in the broker must not open the machine: never root, private files, no CA key in reach."""
    ours = os.geteuid()
    uid = pwd.getpwnam("mosquitto").pw_uid if ours == 0 else ours
    files = [installation.folder, *installation.folder.iterdir()]

    assert status_of(installation.broker.pid, "Uid") == [str(uid)] * 4
    assert {file.stat().st_uid for file in files} == {uid}
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    assert "ca.key" not in {file.name for file in files}
    assert ((installation.keys / "ca.key").stat().st_uid, installation.keys.stat().st_mode & 0o777) == (
        0,
        0o700,
    )


def test_started_by_a_person_it_runs_as_that_person(installation: Installation) -> None:
    """Without root it works the same, as the user who started it; it also stops cleanly."""
    installation.broker.stop()
    ours = os.geteuid()
    uid = pwd.getpwnam("nobody").pw_uid if ours == 0 else ours
    with (
        tempfile.TemporaryDirectory(prefix="hatang-nobody-") as folder,
        collector_process(Path(folder), installation.port, uid) as (collector, pid),
    ):
        assert status_of(pid, "Uid") == [str(uid)] * 4
        collector.communicate()

        assert collector.returncode == 0
        assert not is_running(pid)


@given(st.integers(min_value=1, max_value=10_000))
def test_the_delay_grows_to_a_bound(failures: int) -> None:
    """Each failure in a row waits longer, never longer than the bound."""
    assert FIRST_DELAY_S <= restart_delay_s(failures) <= restart_delay_s(failures + 1) <= MAX_DELAY_S


def test_mosquittos_own_warnings_are_told_once(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    """Its chatter stays at debug level."""
    caplog.set_level(logging.INFO)
    installation.enrol()

    assert [record.message for record in caplog.records if record.name.endswith("broker.mosquitto")] == []


def test_a_broker_that_was_not_started_says_so(installation: Installation) -> None:
    """Using it too early is an error in one line, not a connection to nowhere."""
    installation.broker.stop()
    unstarted = EmbeddedBroker(
        installation.folder,
        installation.keys,
        installation.ledger,
        installation.vault,
        agents_listener=("", 1),
    )

    for use in (lambda: unstarted.accounts, lambda: unstarted.configs, unstarted.own_login):
        with pytest.raises(BrokerError, match="the broker is not started"):
            use()
    assert not unstarted.health().running
    assert unstarted.agent_addresses()[0].host == told_host("0.0.0.0")
