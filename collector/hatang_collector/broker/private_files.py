"""Files that only one user may read, replaced in one step."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644


@dataclass(frozen=True, slots=True)
class Owner:
    """A user and group of the system, by number."""

    uid: int
    gid: int


def replace(path: Path, content: bytes, *, mode: int = PRIVATE, owner: Owner | None = None) -> None:
    """Write a whole file durably, or leave the former one. Raises OSError.

    The temporary name is random and must not exist, and a link in place of ``path`` is replaced and
    not followed: the folder may belong to a less trusted user than ourselves.
    """
    temporary = _written(path, content, mode, owner)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def read_or_create(path: Path, fresh: bytes, *, mode: int = PRIVATE) -> bytes:
    """Content of a file; written with ``fresh`` when it does not exist. Raises OSError.

    Of two processes that come at the same time one writes, and both read what it wrote.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        make_folder(path.parent)
    temporary = _written(path, fresh, mode, None)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return path.read_bytes()


def _written(path: Path, content: bytes, mode: int, owner: Owner | None) -> Path:
    """A temporary file beside ``path`` with all of the content on disk."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), owner.uid, owner.gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def make_folder(path: Path, owner: Owner | None = None) -> None:
    """A folder with 0700, and everything in it, for ``owner`` (None: as it is). Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner is None:
        return
    os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
    path.chmod(0o700)
    for entry in path.iterdir():
        os.chown(entry, owner.uid, owner.gid, follow_symlinks=False)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
