"""The Debian package built once, and a throw-away machine to install it on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from installers.throwaway import Box, no_box, throw_away
from support.stack import ROOT, Stack

BUILD_DEB = ROOT / "deploy/agent-debian/build"


def gone(reason: str) -> NoReturn:
    """Skip, told with its reason in the summary; a missing program fails a CI run instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def need(*programs: str) -> None:
    """Skip where a Debian program is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        gone(f"not installed: {', '.join(missing)}")


def built(out: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A run of the package's build script, with the interpreter of these tests."""
    return subprocess.run(
        [str(BUILD_DEB), str(out), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHON": sys.executable, **env},
    )


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this tree."""
    need("dpkg-deb")
    done = built(tmp_path_factory.mktemp("deb"))
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture
def box() -> Iterator[Box]:
    """A throw-away machine with systemd."""
    reason = no_box()
    if reason is not None:
        pytest.skip(reason)  # who may make namespaces is not a matter of what is installed
    for package in ("python3-psutil", "adduser"):
        if not Path(f"/var/lib/dpkg/info/{package}.list").exists():
            gone(f"not installed: {package}")
    with throw_away() as made:
        yield made


@pytest.fixture
def mosquitto() -> None:
    """Names the program that is needed, for the count of skipped tests; starts nothing."""


@pytest.fixture
def stack(mosquitto: None, tmp_path: Path) -> Iterator[Stack]:
    """A collector on loopback, which the throw-away machine shares; not started."""
    made = Stack(tmp_path / "collector")
    made.folder.mkdir()
    yield made
    made.stop()
