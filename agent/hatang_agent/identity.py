"""Who this agent is: its credential, its epoch, its run ids, and the lock on its state folder."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from hatang_agent.system import System
from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import BrokerAddress

CREDENTIAL_FILE: Final = "credential.json"
LOCK_FILE: Final = "agent.lock"
_SECRET_DIGITS: Final = 64


class IdentityError(Exception):
    """The state folder cannot be used. The text is one line: place, cause; next step."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What enrolment gave. ``secret`` is 64 hex digits; ``url`` is the collector that gave it."""

    agent: str
    secret: str
    role: str
    brokers: tuple[BrokerAddress, ...]
    ca_pem: str = ""
    url: str = ""


def load_credential(folder: Path) -> Credential | None:
    """The credential in a state folder, None before enrolment. Raises IdentityError."""
    path = folder / CREDENTIAL_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IdentityError(
            f"{path}: cannot be read ({error.strerror}); run the agent as the user that enrolled it"
        ) from error
    try:
        credential = codec.decode_small(Credential, content)
        _check(credential)
    except ValueError as error:
        raise IdentityError(
            f"{path}: damaged ({error}); enrol again with hatang-agent enroll --again"
        ) from error
    return credential


def save_credential(folder: Path, credential: Credential) -> None:
    """Write the credential, readable by its owner only, durable when this returns. Raises IdentityError."""
    try:
        make_folder(folder)
        text = json.dumps(codec.plain(credential), indent=1, ensure_ascii=False, sort_keys=True)
        write_durably(folder / CREDENTIAL_FILE, text.encode())
    except OSError as error:
        raise IdentityError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder with --state, "
            "or run as the user that owns it"
        ) from error


def make_folder(folder: Path) -> None:
    """Make a state folder, for its owner only when it is new. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file: the old or the new content is there after a crash, never a mixture."""
    temporary = path.with_name(path.name + ".new")
    binary = getattr(os, "O_BINARY", 0)  # Windows would change line ends without it
    handle = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | binary, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    if os.name == "nt":
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def new_epoch(system: System) -> str:
    """Name of this process start: 16 random hex digits."""
    return system.random_hex(16)


class RunIds:
    """Ids of the runs of one epoch, ``<epoch>-1``, ``<epoch>-2``…; safe to call from several threads."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._numbers = itertools.count(1)

    def __call__(self) -> str:
        """The next id."""
        return f"{self._epoch}-{next(self._numbers)}"


class StateLock:
    """Holds a state folder for one agent; the system lets go of it when the process ends, however.

    Raises IdentityError on entering when another agent holds it or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._file: IO[bytes] | None = None

    def __enter__(self) -> StateLock:
        try:
            make_folder(self._path.parent)
            file = self._path.open("a+b")
        except OSError as error:
            raise IdentityError(
                f"{self._path.parent}: cannot be written ({error.strerror}); choose another folder with "
                "--state, or run as the user that owns it"
            ) from error
        try:
            _lock(file)
        except OSError as error:
            file.seek(0)
            holder = file.read(20).decode(errors="replace").strip()
            file.close()
            raise IdentityError(
                f"{self._path.parent}: another agent (process {holder or 'unknown'}) uses this folder; "
                "stop it first, or give this one a folder of its own with --state"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


def _lock(file: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        # The byte far behind the text: a locked byte could not be read by the one who is refused.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    import fcntl

    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _check(credential: Credential) -> None:
    if not topics.AGENT_PATTERN.fullmatch(credential.agent):
        raise ValueError("agent is not an agent id")
    if len(credential.secret) != _SECRET_DIGITS or not set(credential.secret) <= set("0123456789abcdef"):
        raise ValueError("secret is not 64 hex digits")
    if not credential.brokers:
        raise ValueError("brokers is empty")
    for broker in credential.brokers:
        if not topics.PATH_PATTERN.fullmatch(broker.path):
            raise ValueError(f"path {broker.path!r} is not a path name")
        if not broker.host or not 0 < broker.port < 65_536:
            raise ValueError(f"{broker.host}:{broker.port} is not an address")
    if len({broker.path for broker in credential.brokers}) != len(credential.brokers):
        raise ValueError("two brokers have the same path name")
