"""Credential, run ids, lock, signed configuration: what lies in the state folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_send.agent_send_app import SECRET, credential
from agent_send.agent_send_support import AGENT
from hatang_agent.identity import (
    CREDENTIAL_FILE,
    IdentityError,
    RunIds,
    StateLock,
    load_credential,
    save_credential,
    write_durably,
)
from hatang_agent.remoteconfig import FILE_NAME, KeptConfig, State, judge
from hatang_agent.wire import codec
from hatang_agent.wire.secrets import config_key

KEY = config_key(SECRET)


def test_credential_round_trip(tmp_path: Path) -> None:
    """What was saved is loaded, and only its owner can read it."""
    folder = tmp_path / "deep" / "state"
    save_credential(folder, credential(1883, tls=True, ca_pem="-----BEGIN…"))

    assert load_credential(folder) == credential(1883, tls=True, ca_pem="-----BEGIN…")
    assert (folder / CREDENTIAL_FILE).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == [CREDENTIAL_FILE]


def test_no_credential(tmp_path: Path) -> None:
    """Before enrolment there is none."""
    assert load_credential(tmp_path / "missing") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b'{"agent":"short","secret":"00","role":"pc","brokers":[]}',
        b'{"agent":"abcdefgh234567ab","secret":"' + b"0" * 64 + b'","role":"pc","brokers":[]}',
        b'{"agent":"abcdefgh234567ab","secret":"'
        + b"z" * 64
        + b'","role":"pc","brokers":[{"host":"a","port":1}]}',
        b'{"agent":"abcdefgh234567ab","secret":"'
        + b"0" * 64
        + b'","role":"pc","brokers":[{"host":"a","port":0}]}',
        b'{"agent":"abcdefgh234567ab","secret":"'
        + b"0" * 64
        + b'","role":"pc","brokers":[{"host":"a","port":1},{"host":"b","port":1}]}',
    ],
)
def test_damaged_credential_is_one_line(tmp_path: Path, content: bytes) -> None:
    """A damaged credential names the file and the next step."""
    (tmp_path / CREDENTIAL_FILE).write_bytes(content)
    with pytest.raises(IdentityError, match="--again") as caught:
        load_credential(tmp_path)

    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_replacing_a_file_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the new content cannot be made durable, the old one stays."""
    path = tmp_path / "x"
    write_durably(path, b"old")

    def no_room(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, b"new")

    assert path.read_bytes() == b"old"


def test_run_ids_rise() -> None:
    """Ids name the epoch and rise by one."""
    ids = RunIds("0123456789abcdef")

    assert [ids(), ids()] == ["0123456789abcdef-1", "0123456789abcdef-2"]


def test_lock_holds_a_folder(tmp_path: Path) -> None:
    """A second agent is refused with the holder's process id; afterwards the folder is free."""
    with (
        StateLock(tmp_path),
        pytest.raises(IdentityError, match=f"process {os.getpid()}"),
        StateLock(tmp_path),
    ):
        pass
    with StateLock(tmp_path):
        pass


def test_lock_on_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A state folder below a file is one line with the next step."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(IdentityError, match="--state"), StateLock(tmp_path / "file" / "state"):
        pass
    with pytest.raises(IdentityError, match="--state"):
        save_credential(tmp_path / "file" / "state", credential(1))


def signed(number: int, content: dict[str, object], agent: str = AGENT, key: bytes = KEY) -> bytes:
    """Wire bytes of a configuration."""
    return codec.encode(codec.sign(key, agent, number, content))


def test_configuration_must_be_genuine_and_newer() -> None:
    """Only our key, our id and a higher number count; refusals say why."""
    two = codec.sign(KEY, AGENT, 2, {"probes": {}})

    def state(payload: bytes) -> State:
        return judge(payload, AGENT, KEY, two).state

    assert state(signed(3, {})) is State.ACCEPTED
    assert state(signed(2, {"probes": {}})) is State.UNCHANGED
    assert state(b"") is State.UNCHANGED
    assert state(signed(2, {"schedule": {}})) is State.REFUSED
    assert state(signed(1, {})) is State.REFUSED
    assert state(signed(3, {}, agent="bcdefgha234567ab")) is State.REFUSED
    assert state(signed(3, {}, key=b"another")) is State.REFUSED
    assert "signature" in judge(signed(3, {}, key=b"x"), AGENT, KEY, two).reason


@given(st.binary(max_size=300))
def test_hostile_configuration_never_raises(payload: bytes) -> None:
    """Whatever arrives is refused or means nothing."""
    assert judge(payload, AGENT, KEY, None).state in (State.REFUSED, State.UNCHANGED)


def test_kept_configuration_survives_and_is_verified_again(tmp_path: Path) -> None:
    """A kept configuration is in force after a restart; one that was tampered with is not."""
    kept = KeptConfig(tmp_path, AGENT, KEY)
    assert kept.current is None
    kept.keep(signed(5, {"probes": {}}))

    again = KeptConfig(tmp_path, AGENT, KEY)
    assert again.current is not None
    assert again.current.number == 5
    assert again.judge(signed(4, {})).state is State.REFUSED
    (tmp_path / FILE_NAME).write_bytes(signed(9, {}, key=b"another"))
    assert KeptConfig(tmp_path, AGENT, KEY).current is None
