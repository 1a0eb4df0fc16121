"""A disk in memory that forgets at a crash everything it was not asked to make durable."""

from __future__ import annotations

from pathlib import Path
from random import Random


class PowerCut(Exception):  # noqa: N818 - reads as what happened
    """Raised in the middle of an operation, as if the power had gone."""


class _Inode:
    """A file's bytes as programs see them, and the part that survives a crash."""

    def __init__(self) -> None:
        self.content = b""
        self.durable = b""


class _ForgetfulFile:
    def __init__(self, disk: ForgetfulFiles, inode: _Inode) -> None:
        self._disk = disk
        self._inode = inode

    @property
    def size(self) -> int:
        return len(self._inode.content)

    def write(self, content: bytes) -> None:
        fault = self._disk.fault()
        taken = len(content) if fault is None else self._disk.random.randint(0, len(content))
        self._inode.content += content[:taken]
        if fault is not None:
            raise fault

    def fsync(self) -> None:
        if (fault := self._disk.fault()) is not None:
            raise fault
        self._inode.durable = self._inode.content

    def close(self) -> None:
        return


class ForgetfulFiles:
    """The ``Files`` protocol in memory.

    ``cut_after(n)`` raises PowerCut in the n-th primitive step from now; ``fail_after(n, error)`` raises
    an OSError there, once. ``crash()`` leaves what a real disk could: durable bytes, a random prefix of
    the others or the same length with a block of zeros in it, and each unsynced change of a name done
    or undone.
    """

    def __init__(self, random: Random | None = None) -> None:
        self.random = random or Random(0)
        self._names: dict[Path, _Inode] = {}
        self._durable_names: dict[Path, _Inode] = {}
        self._directories: set[Path] = {Path("/")}
        self._steps = 0
        self._fault: tuple[int, Exception] | None = None

    def cut_after(self, steps: int) -> None:
        self._fault = (self._steps + steps, PowerCut())

    def fail_after(self, steps: int, error: OSError) -> None:
        self._fault = (self._steps + steps, error)

    def no_fault(self) -> None:
        self._fault = None

    def fault(self) -> Exception | None:
        self._steps += 1
        if self._fault is None or self._steps < self._fault[0]:
            return None
        error = self._fault[1]
        if not isinstance(error, PowerCut):
            self._fault = None
        return error

    def _step(self) -> None:
        if (fault := self.fault()) is not None:
            raise fault

    def crash(self) -> None:
        self._fault = None
        survivors: dict[Path, _Inode] = {}
        for path in sorted({*self._names, *self._durable_names}):
            now, before = self._names.get(path), self._durable_names.get(path)
            found = now if now is before or self.random.random() < 0.5 else before
            if found is not None:
                survivors[path] = found
        for inode in {id(one): one for one in survivors.values()}.values():
            inode.content = inode.durable = self._left_of(inode)
        self._names = dict(survivors)
        self._durable_names = dict(survivors)

    def _left_of(self, inode: _Inode) -> bytes:
        durable, content = inode.durable, inode.content
        if not content.startswith(durable):
            return durable
        loose = content[len(durable) :]
        kept = loose[: self.random.randint(0, len(loose))] if self.random.random() < 0.7 else loose
        if len(kept) > 2 and self.random.random() < 0.4:
            at = self.random.randrange(len(kept))
            hole = min(self.random.randint(1, 64), len(kept) - at)
            kept = kept[:at] + bytes(hole) + kept[at + hole :]
        return durable + kept

    def open_append(self, path: Path) -> _ForgetfulFile:
        self._step()
        self._need_directory(path.parent)
        return _ForgetfulFile(self, self._names.setdefault(path, _Inode()))

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        content = self._inode(path).content
        return content[offset:] if size < 0 else content[offset : offset + size]

    def size(self, path: Path) -> int:
        return len(self._inode(path).content)

    def list(self, directory: Path) -> list[str]:
        return sorted(path.name for path in self._names if path.parent == directory)

    def replace(self, path: Path, content: bytes) -> None:
        self._need_directory(path.parent)
        inode = _Inode()
        draft = path.with_name(path.name + ".new")
        self._step()
        self._names[draft] = inode
        _ForgetfulFile(self, inode).write(content)
        self._step()
        inode.durable = inode.content
        self._step()
        del self._names[draft]
        self._names[path] = inode
        self.sync_directory(path.parent)

    def truncate(self, path: Path, size: int) -> None:
        self._step()
        inode = self._inode(path)
        inode.content = inode.durable = inode.content[:size]

    def unlink(self, path: Path) -> None:
        self._step()
        self._names.pop(path, None)

    def make_directory(self, path: Path) -> None:
        self._step()
        self._directories.update((path, *path.parents))

    def sync_directory(self, path: Path) -> None:
        self._step()
        self._need_directory(path)
        for one in [*self._durable_names]:
            if one.parent == path and one not in self._names:
                del self._durable_names[one]
        for one, inode in self._names.items():
            if one.parent == path:
                self._durable_names[one] = inode

    def damage(self, path: Path, offset: int, content: bytes) -> None:
        """Change bytes in place behind everyone's back, as a failing disk does."""
        inode = self._inode(path)
        inode.content = inode.content[:offset] + content + inode.content[offset + len(content) :]
        inode.durable = inode.content

    def _inode(self, path: Path) -> _Inode:
        if path not in self._names:
            raise FileNotFoundError(2, "no such file", str(path))
        return self._names[path]

    def _need_directory(self, path: Path) -> None:
        if path not in self._directories:
            raise FileNotFoundError(2, "no such directory", str(path))
