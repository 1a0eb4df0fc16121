"""Parts for the Windows build: our own wheel, and stand-ins for what others make."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from support.stack import ROOT

BUILD = ROOT / "deploy/windows/build.py"
PYTHON = "python-9.99.1-embed-amd64.zip"
EMBEDDED = (
    "python.exe", "pythonw.exe", "python3.dll", "python999.dll", "_sqlite3.pyd", "_ssl.pyd", "_socket.pyd",
    "select.pyd",
)  # fmt: skip
WHEELS = {
    "psutil-9.9.9-cp37-abi3-win_amd64.whl": {"psutil/__init__.py": b"", "psutil/_psutil_windows.pyd": b"MZ"},
    "paho_mqtt-9.9.9-py3-none-any.whl": {
        "paho/mqtt/client.py": b"# MQTT",
        "paho_mqtt-9.9.9.dist-info/licenses/epl-v20": b"EPL",
    },
}


def program(version: tuple[int, int, int, int] = (9, 99, 1150, 1013)) -> bytes:
    """Something with the version resource of a Windows program."""
    high, low = version[0] << 16 | version[1], version[2] << 16 | version[3]
    return b"MZ" + bytes(90) + struct.pack("<IIII", 0xFEEF04BD, 0x10000, high, low) + bytes(40)


def embedded(exe: bytes = b"") -> dict[str, bytes]:
    """The files of an embeddable CPython."""
    files = dict.fromkeys(EMBEDDED, exe or program())
    files |= {"python999.zip": b"PK", "LICENSE.txt": b"PSF", "python999._pth": b"python999.zip\n.\n"}
    return files


def pack(path: Path, files: Mapping[str, bytes]) -> str:
    """A zip archive of files; its SHA-256."""
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_recipe(path: Path, digests: Mapping[str, str]) -> Path:
    """A recipe that wants these files."""
    product = (ROOT / "deploy/windows/recipe.toml").read_text(encoding="utf-8").split("# The last")[0]
    parts = [f'[python]\nfile = "{PYTHON}"\nsha256 = "{digests[PYTHON]}"\n']
    parts += [
        f'[[wheel]]\nfile = "{name}"\nsha256 = "{digest}"\n'
        for name, digest in digests.items()
        if name != PYTHON
    ]
    path.write_text(product + "\n".join(parts), encoding="utf-8")
    return path


def make_parts(folder: Path, exe: bytes = b"") -> Path:
    """All parts in a folder, and the recipe for them beside it."""
    folder.mkdir()
    digests = {PYTHON: pack(folder / PYTHON, embedded(exe))}
    digests |= {name: pack(folder / name, files) for name, files in WHEELS.items()}
    return write_recipe(folder.with_suffix(".toml"), digests)


def build(
    parts: Path, wheel: Path, out: Path, recipe: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A run of the build."""
    words = ["--parts", str(parts), "--wheel", str(wheel), "--out", str(out)]
    words += ["--recipe", str(recipe)] if recipe is not None else []
    return subprocess.run([sys.executable, str(BUILD), *words], capture_output=True, text=True, check=False)


def repacked(wheel: Path, folder: Path, version: str, *, without: str = "", **more: bytes) -> Path:
    """Our wheel as another version of it: some file gone, others new."""
    target = folder / f"hatang-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as opened:
        files = {name: opened.read(name) for name in opened.namelist() if name != without}
    pack(target, {**files, **more})
    return target
