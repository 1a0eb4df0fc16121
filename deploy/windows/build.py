"""Builds the Windows packages of the agent on Debian: an MSI (by wixl) and a zip with PowerShell scripts.

``build.py --parts DIR --wheel FILE --out DIR``. The folder of parts holds the files of the recipe, each
with the digest that stands there; the wheel is our own. Everything is laid out as plain files: an
interpreter of python.org as it is, and .py files beside it; no packer, nothing that unpacks itself.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import struct
import subprocess
import sys
import tempfile
import tomllib
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template
from typing import Any, Final
from xml.etree import ElementTree as Xml

HERE: Final = Path(__file__).parent
NAMESPACE: Final = uuid.UUID("6f0d9b52-2f0c-4d0e-8f6e-9f5f2b8f7c11")
WIX: Final = "http://schemas.microsoft.com/wix/2006/wi"
SERVICE: Final = "hatang-agent"
PYTHON_EXE: Final = "python/python.exe"
COMMAND: Final = "hatang-agent.cmd"
COMMAND_TEXT: Final = '@echo off\r\n"%~dp0python\\python.exe" -B -X utf8 -m hatang_agent %*\r\n'
HAND_OVER: Final = r"SOFTWARE\hatang-agent\Enrol"
WINDOWS_KEY: Final = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
PROPERTIES: Final = {
    "URL": "Url",
    "PIN": "Pin",
    "TOKEN": "Token",
    "LABEL": "Label",
    "ASSETCODE": "AssetCode",
    "STAFFGROUP": "StaffGroup",
}
"""Public properties of the MSI and the names under which the service finds their values."""
NEEDED: Final = ("python.exe", "LICENSE.txt", "_sqlite3.pyd", "_ssl.pyd", "_socket.pyd", "select.pyd")
ZIP_DATE: Final = (2026, 1, 1, 0, 0, 0)
VERSION_OF_FILE: Final = Template("UPDATE `File` SET `Version`='$version' WHERE `File`='$file'")
NO_HASH_OF_FILE: Final = Template("DELETE FROM `MsiFileHash` WHERE `File_`='$file'")


class BuildError(Exception):
    """Nothing was built. The text is one line: place, cause; next step."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the package is made of: product texts, and digests by file name."""

    product: Mapping[str, str]
    python: str
    digests: Mapping[str, str]

    @staticmethod
    def read(path: Path) -> Recipe:
        """The recipe in a file. Raises BuildError."""
        try:
            found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
            parts = [found["python"], *found["wheel"]]
            return Recipe(found["product"], parts[0]["file"], {one["file"]: one["sha256"] for one in parts})
        except (OSError, ValueError, KeyError) as error:
            raise BuildError(f"{path}: not a recipe ({error!r})") from error


def checked(parts: Path, recipe: Recipe) -> None:
    """Hold every part against its digest. Raises BuildError."""
    for name, wanted in recipe.digests.items():
        path = parts / name
        if not path.is_file():
            raise BuildError(f"{path}: not there; recipe.toml says where to get it")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != wanted.lower():
            raise BuildError(f"{path}: its SHA-256 is {found}, the recipe wants {wanted}; get it again")


def version_of(wheel: Path) -> str:
    """The version of our wheel. Raises BuildError."""
    name, _, rest = wheel.name.partition("-")
    if name != "hatang" or not wheel.is_file():
        raise BuildError(f"{wheel}: not our wheel; deploy/windows/build makes it")
    return rest.split("-")[0]


def lay_out(parts: Path, wheel: Path, recipe: Recipe, stage: Path) -> str:
    """Unpack everything into the layout of the installed program; its version. Raises BuildError."""
    version = version_of(wheel)
    checked(parts, recipe)
    unpack(parts / recipe.python, stage / "python", keep=lambda _: True)
    missing = [name for name in NEEDED if not (stage / "python" / name).is_file()]
    paths = list((stage / "python").glob("python*._pth"))
    if missing or len(paths) != 1:
        raise BuildError(
            f"{recipe.python}: not an embeddable CPython, {', '.join(missing) or '._pth'} is missing"
        )
    # Beside the standard library, one folder more; without "import site" nothing else gets in.
    archive = paths[0].name.replace("._pth", ".zip")
    paths[0].write_text(f"{archive}\r\n.\r\n..\\lib\r\n", encoding="ascii", newline="")
    for other in (parts / name for name in recipe.digests if name.endswith(".whl")):
        unpack(other, stage / "lib", keep=lambda _: True)
    unpack(wheel, stage / "lib", keep=lambda name: name.parts[0] != "hatang_collector")
    (stage / COMMAND).write_text(COMMAND_TEXT, encoding="ascii", newline="")
    return version


def unpack(archive: Path, folder: Path, keep: Any) -> None:
    """The wanted files of an archive. Raises BuildError for names that lead elsewhere."""
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                name = PurePosixPath(member.filename)
                if member.is_dir() or not keep(name):
                    continue
                if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
                    raise BuildError(f"{archive}: {member.filename!r} leads out of its folder; get it again")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(opened.read(member))
    except zipfile.BadZipFile as error:
        raise BuildError(f"{archive}: not a zip archive ({error}); get it again") from error


def files_of(stage: Path) -> list[str]:
    """Every file of the layout, as a relative path with slashes."""
    return sorted(path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file())


def identifier(kind: str, path: str) -> str:
    """The same short name for the same path in every build."""
    return f"{kind}{hashlib.sha256(path.encode()).hexdigest()[:24]}"


def guid(name: str) -> str:
    """The same GUID for the same name in every build: Windows knows parts of older packages by it."""
    return str(uuid.uuid5(NAMESPACE, name)).upper()


def file_version(content: bytes) -> str | None:
    """The version in a Windows program or library (VS_FIXEDFILEINFO), None in other files."""
    at = content.find(struct.pack("<I", 0xFEEF04BD)) if content[:2] == b"MZ" else -1
    if at < 0 or len(content) < at + 16:
        return None
    high, low = struct.unpack_from("<II", content, at + 8)
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def wxs(stage: Path, recipe: Recipe, version: str) -> Xml.Element:
    """The description of the package for wixl."""
    files = files_of(stage)
    # Another content is another product to Windows, the same content the same.
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + b"\0" + hashlib.sha256((stage / name).read_bytes()).digest())
    root = Xml.Element("Wix", xmlns=WIX)
    product = Xml.SubElement(
        root,
        "Product",
        Id=guid(f"{version} {digest.hexdigest()}"),
        Name=recipe.product["name"],
        Language="1033",
        Version=version,
        Manufacturer=recipe.product["manufacturer"],
        UpgradeCode=recipe.product["upgrade_code"],
    )
    Xml.SubElement(product, "Package", InstallerVersion="500", Compressed="yes", InstallScope="perMachine",
                   Comments="Measures this computer for its Ha Tang collector")  # fmt: skip
    Xml.SubElement(product, "MajorUpgrade", DowngradeErrorMessage="A newer version is installed already.")
    Xml.SubElement(product, "Media", Id="1", Cabinet="files.cab", EmbedCab="yes")
    for name, value in (("MsiHiddenProperties", "TOKEN"), ("ARPNOMODIFY", "1"), ("REINSTALLMODE", "amus")):
        Xml.SubElement(product, "Property", Id=name, Value=value)
    windows = Xml.SubElement(product, "Property", Id="WINDOWS10")
    Xml.SubElement(windows, "RegistrySearch", Id="Windows10", Root="HKLM", Key=WINDOWS_KEY,
                   Name="CurrentMajorVersionNumber", Type="raw", Win64="yes")  # fmt: skip
    top = Xml.SubElement(product, "Directory", Id="TARGETDIR", Name="SourceDir")
    Xml.SubElement(top, "Directory", Id="System64Folder")
    Xml.SubElement(top, "Directory", Id="CommonAppDataFolder")
    programs = Xml.SubElement(top, "Directory", Id="ProgramFiles64Folder")
    installed = Xml.SubElement(programs, "Directory", Id="INSTALLDIR", Name=SERVICE)
    feature = Xml.SubElement(product, "Feature", Id="Agent", Level="1", Title=recipe.product["name"])
    folders = {"": installed}
    for name in files:
        folder = folder_of(folders, name.rpartition("/")[0])
        component = Xml.SubElement(
            folder, "Component", Id=identifier("C", name), Guid=guid(name), Win64="yes"
        )
        Xml.SubElement(component, "File", Id=identifier("F", name), Source=name,
                       Name=name.rpartition("/")[2], KeyPath="yes")  # fmt: skip
        if name == PYTHON_EXE:
            add_service(component)
        Xml.SubElement(feature, "ComponentRef", Id=identifier("C", name))
    handed = Xml.SubElement(installed, "Component", Id="HandOver", Guid=guid("hand-over"), Win64="yes")
    for name, value in PROPERTIES.items():
        Xml.SubElement(handed, "RegistryValue", Id=f"HandOver{value}", Root="HKLM", Key=HAND_OVER, Name=value,
                       Type="string", Value=f"[{name}]")  # fmt: skip
    Xml.SubElement(feature, "ComponentRef", Id="HandOver")
    return root


def folder_of(folders: dict[str, Xml.Element], path: str) -> Xml.Element:
    """The element of a folder, made with those above it."""
    if path not in folders:
        above, _, name = path.rpartition("/")
        folders[path] = Xml.SubElement(
            folder_of(folders, above), "Directory", Id=identifier("D", path), Name=name
        )
    return folders[path]


def add_service(component: Xml.Element) -> None:
    """The service, whose program is the file of this component."""
    Xml.SubElement(component, "ServiceInstall", Id="Service", Name=SERVICE, DisplayName="Ha Tang agent",
                   Description="Measures this computer for its Ha Tang collector.", Type="ownProcess",
                   Start="auto", ErrorControl="normal",
                   Arguments="-B -X utf8 -m hatang_agent.service_windows")  # fmt: skip
    # Only its end is here. A start that fails would fail the installation: see additions.sql.
    Xml.SubElement(component, "ServiceControl", Id="EndService", Name=SERVICE, Stop="both",
                   Remove="uninstall", Wait="yes")  # fmt: skip


def additions(stage: Path, recipe: Recipe, version: str) -> Iterator[str]:
    """What wixl cannot say, as statements for msibuild."""
    secure = ";".join([*PROPERTIES, "WIX_DOWNGRADE_DETECTED", "WIX_UPGRADE_DETECTED"])
    text = Template((HERE / "additions.sql").read_text(encoding="utf-8"))
    written = text.substitute(
        secure=secure,
        python=identifier("C", PYTHON_EXE),
        upgrade_code=recipe.product["upgrade_code"],
        version=version,
    )
    for paragraph in written.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("--")]
        if lines:
            yield " ".join(lines)
    # Windows compares versions of programs; a file without one counts as older than any.
    for name in files_of(stage):
        known = file_version((stage / name).read_bytes())
        if known is not None:
            yield VERSION_OF_FILE.substitute(version=known, file=identifier("F", name))
            yield NO_HASH_OF_FILE.substitute(file=identifier("F", name))


def make_msi(stage: Path, recipe: Recipe, version: str, target: Path) -> None:
    """Build the MSI. Raises BuildError."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "agent.wxs")
        Xml.ElementTree(wxs(stage, recipe, version)).write(source, encoding="utf-8", xml_declaration=True)
        run(["wixl", "--arch", "x64", "--output", str(target), str(source)], stage)
    for statement in additions(stage, recipe, version):
        run(["msibuild", str(target), "-q", statement])


def run(argv: list[str], folder: Path | None = None) -> None:
    """A program that must succeed and say nothing. Raises BuildError."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=folder)
    except FileNotFoundError as error:
        raise BuildError(f"{argv[0]} is missing; install it: apt-get install msitools wixl") from error
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0 or said:
        raise BuildError(f"{' '.join(argv)[:300]}: exit {done.returncode}; {' '.join(said.split())[:500]}")


def make_zip(stage: Path, target: Path) -> None:
    """The zip: the layout in ``app``, and the scripts."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        sources = {f"app/{name}": stage / name for name in files_of(stage)}
        sources |= {path.name: path for path in sorted(HERE.glob("*.ps1"))}
        for name, path in sorted(sources.items()):
            made.writestr(zipfile.ZipInfo(name, ZIP_DATE), path.read_bytes(), zipfile.ZIP_DEFLATED)


def build(parts: Path, wheel: Path, out: Path, recipe: Recipe) -> list[Path]:
    """Both packages and a file of their digests; their paths. Raises BuildError."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder, SERVICE)
        version = lay_out(parts, wheel, recipe, stage)
        name = f"hatang-agent-{version}"
        made = [Path(folder, f"{name}-x64.msi"), Path(folder, f"{name}-windows-x64.zip")]
        make_msi(stage, recipe, version, made[0])
        make_zip(stage, made[1])
        done = [Path(shutil.move(path, out / path.name)) for path in made]
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in done)
    (out / f"{name}-windows.sha256").write_text(sums, encoding="ascii")
    return done


def main() -> int:
    """Build; 0 ok, 2 when something given is not right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", type=Path, required=True, help="folder with the files of the recipe")
    parser.add_argument("--wheel", type=Path, required=True, help="our own wheel")
    parser.add_argument("--out", type=Path, required=True, help="where the packages go")
    parser.add_argument("--recipe", type=Path, default=HERE / "recipe.toml", help="default: recipe.toml here")
    args = parser.parse_args()
    try:
        for path in build(args.parts, args.wheel, args.out, Recipe.read(args.recipe)):
            sys.stdout.write(f"{path}\n")
    except BuildError as error:
        sys.stderr.write(f"build: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
