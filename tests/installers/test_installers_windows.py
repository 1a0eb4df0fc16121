"""The Windows packages: made of what the recipe names, complete, and with the right entries.

Windows itself is not here. Tables are read with msitools; where Wine is installed, its installer
(which is not Microsoft's) installs, upgrades and removes the package for real.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pygments.lexers.shell import PowerShellLexer  # type: ignore[import-untyped]
from pygments.token import Comment, Error, Punctuation  # type: ignore[import-untyped]

from hatang_agent import __version__
from installers.conftest import gone, need
from installers.windows_parts import (
    PYTHON,
    WHEELS,
    build,
    embedded,
    make_parts,
    pack,
    program,
    repacked,
    write_recipe,
)
from support.stack import ROOT

WINDOWS = ROOT / "deploy/windows"
SCRIPTS = sorted(WINDOWS.glob("*.ps1"))
WINE = Path("/usr/lib/wine/wine64")
SERVICE = "hatang-agent"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own wheel, built from this tree."""
    need("wixl", "msibuild", "msiinfo", "msiextract")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "No module named hatchling" in done.stderr:
        gone("hatchling is not installed")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """MSI and zip of this tree around a stand-in interpreter."""
    folder = tmp_path_factory.mktemp("windows")
    recipe = make_parts(folder / "parts")
    done = build(folder / "parts", wheel, folder / "out", recipe)
    assert done.returncode == 0, done.stderr
    msi, archive = (Path(line) for line in done.stdout.splitlines())
    return msi, archive


def table(msi: Path, name: str) -> list[dict[str, str]]:
    """The rows of a table of an MSI."""
    text = subprocess.run(["msiinfo", "export", str(msi), name], capture_output=True, check=True).stdout
    heads, _, _, *rows = text.decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n")
    return [dict(zip(heads.split("\t"), row.split("\t"), strict=True)) for row in rows if row]


def installed(msi: Path) -> dict[str, str]:
    """Paths below the program's folder, with the key of their component."""
    folders = {row["Directory"]: row for row in table(msi, "Directory")}
    components = {row["Component"]: row for row in table(msi, "Component")}

    def path(folder: str) -> str:
        if folder == "INSTALLDIR":
            return ""
        return f"{path(folders[folder]['Directory_Parent'])}{folders[folder]['DefaultDir'].split('|')[-1]}/"

    return {
        path(components[row["Component_"]]["Directory_"]) + row["FileName"].split("|")[-1]: row["Component_"]
        for row in table(msi, "File")
    }


def order(msi: Path) -> list[str]:
    """Actions in the order in which they are carried out."""
    rows = table(msi, "InstallExecuteSequence")
    return [row["Action"] for row in sorted(rows, key=lambda row: int(row["Sequence"]))]


def test_the_msi_holds_the_agent_its_two_libraries_and_the_interpreter(packages: tuple[Path, Path]) -> None:
    """Plain files: every module of the agent, no collector, the interpreter as it was given."""
    found = set(installed(packages[0]))
    own = {
        f"lib/hatang_agent/{path.relative_to(ROOT / 'agent/hatang_agent').as_posix()}"
        for path in (ROOT / "agent/hatang_agent").rglob("*.py")
    }

    assert own <= found
    assert {f"python/{name}" for name in embedded()} <= found
    assert {f"lib/{name}" for files in WHEELS.values() for name in files} <= found
    assert not [name for name in found if "hatang_collector" in name or name.endswith(".pyc")]
    assert {name for name in found if "/" not in name} == {"hatang-agent.cmd"}


def test_every_file_comes_out_as_it_went_in(packages: tuple[Path, Path], tmp_path: Path) -> None:
    """Unpacked again, the MSI and the zip hold the same bytes; only the interpreter's path file is ours."""
    msi, archive = packages
    subprocess.run(["msiextract", "--directory", str(tmp_path), str(msi)], capture_output=True, check=True)
    top = next(tmp_path.rglob("hatang-agent.cmd")).parent
    with zipfile.ZipFile(archive) as opened:
        zipped = {
            name.removeprefix("app/"): opened.read(name)
            for name in opened.namelist()
            if name.startswith("app/")
        }
        scripts = {name for name in opened.namelist() if not name.startswith("app/")}

    assert {
        path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()
    } == zipped
    assert {name: zipped[f"python/{name}"] for name in embedded() if not name.endswith("._pth")} == {
        name: content for name, content in embedded().items() if not name.endswith("._pth")
    }
    assert zipped["python/python999._pth"] == b"python999.zip\r\n.\r\n..\\lib\r\n"
    assert scripts == {"install.ps1", "uninstall.ps1"}


def test_the_digests_beside_the_packages_are_theirs(packages: tuple[Path, Path]) -> None:
    """The file of digests can be published."""
    listed = (packages[0].parent / f"hatang-agent-{__version__}-windows.sha256").read_text(encoding="ascii")
    expected = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in packages)

    assert listed == expected


def test_the_service_entries(packages: tuple[Path, Path]) -> None:
    """Own process, automatic and delayed, vital; it ends with the package and is started by a command."""
    msi = packages[0]
    python = installed(msi)["python/python.exe"]
    (service,) = table(msi, "ServiceInstall")
    (control,) = table(msi, "ServiceControl")
    (config,) = table(msi, "MsiServiceConfig")
    actions = {row["Action"]: row for row in table(msi, "CustomAction")}

    assert (service["Name"], service["ServiceType"], service["StartType"]) == (SERVICE, "16", "2")
    assert service["Component_"] == python
    assert service["StartName"] == ""  # LocalSystem
    assert service["ErrorControl"] == str(0x8000 | 1)
    assert service["Arguments"].endswith("-m hatang_agent.service_windows")
    assert int(control["Event"]) == 0x2 | 0x20 | 0x80
    assert (control["Name"], control["Wait"]) == (SERVICE, "1")
    assert (config["Name"], config["Event"], config["ConfigType"], config["Argument"]) == (
        SERVICE,
        "1",
        "3",
        "1",
    )
    assert actions["StartService"]["Target"].endswith('sc.exe" start hatang-agent')
    assert {row["Type"] for row in actions.values()} == {str(34 | 64 | 1024 | 2048)}


def test_the_order_of_actions(packages: tuple[Path, Path]) -> None:
    """The older product goes inside the transaction; start and clean-up come after files and service."""
    actions = order(packages[0])
    conditions = {row["Action"]: row["Condition"] for row in table(packages[0], "InstallExecuteSequence")}

    wanted = [
        "LaunchConditions",
        "InstallInitialize",
        "RemoveExistingProducts",
        "StopServices",
        "RemoveFiles",
    ]
    wanted += ["InstallFiles", "WriteRegistryValues", "InstallServices", "MsiConfigureServices"]
    wanted += ["StartService", "RemoveState", "InstallFinalize"]
    assert [action for action in actions if action in wanted] == wanted
    assert conditions["RemoveState"] == 'REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE'
    assert conditions["StartService"] == 'NOT REMOVE="ALL"'


def test_the_hand_over_is_closed_and_hidden(packages: tuple[Path, Path]) -> None:
    """The token is no log's business and no ordinary user's, and is written only when one is given."""
    msi = packages[0]
    properties = {row["Property"]: row["Value"] for row in table(msi, "Property")}
    values = {row["Name"]: row["Value"] for row in table(msi, "Registry")}
    (closed,) = table(msi, "MsiLockPermissionsEx")
    component = next(row for row in table(msi, "Component") if row["Component"] == "HandOver")

    assert properties["MsiHiddenProperties"] == "TOKEN"
    assert {"URL", "PIN", "TOKEN", "STAFFGROUP"} <= set(properties["SecureCustomProperties"].split(";"))
    assert "TOKEN" not in properties
    assert values == {"Url": "[URL]", "Pin": "[PIN]", "Token": "[TOKEN]", "Label": "[LABEL]",
                      "AssetCode": "[ASSETCODE]", "StaffGroup": "[STAFFGROUP]"}  # fmt: skip
    assert (closed["LockObject"], closed["Table"]) == ("HandOverToken", "Registry")
    assert re.fullmatch(r"D:P\(A;CI;KA;;;SY\)\(A;CI;KA;;;BA\)", closed["SDDLText"])
    assert component["Condition"] == "TOKEN OR Installed"


def test_windows_before_10_is_refused_and_64_bit_it_is(packages: tuple[Path, Path]) -> None:
    """A launch condition on what only Windows 10 and later have; every component in the 64-bit view."""
    msi = packages[0]
    conditions = {row["Condition"] for row in table(msi, "LaunchCondition")}
    (locator,) = table(msi, "RegLocator")
    told = subprocess.run(["msiinfo", "suminfo", str(msi)], capture_output=True, text=True, check=True).stdout

    assert conditions == {"NOT WIX_DOWNGRADE_DETECTED", "Installed OR WINDOWS10"}
    assert locator["Name"] == "CurrentMajorVersionNumber"
    assert "Template: x64;1033" in told
    assert all(int(row["Attributes"]) & 256 for row in table(msi, "Component"))


def test_windows_knows_parts_and_product_again(
    packages: tuple[Path, Path], wheel: Path, tmp_path: Path
) -> None:
    """Components keep their GUIDs over versions; another content is another product, the same is the same."""
    older = packages[0]
    recipe = make_parts(tmp_path / "parts")
    same = Path(build(tmp_path / "parts", wheel, tmp_path / "same", recipe).stdout.splitlines()[0])
    (tmp_path / "newer").mkdir()
    newer_wheel = repacked(wheel, tmp_path / "newer", "99.0.0")
    newer = Path(build(tmp_path / "parts", newer_wheel, tmp_path / "out", recipe).stdout.splitlines()[0])

    def parts(msi: Path) -> dict[str, str]:
        return {row["Component"]: row["ComponentId"] for row in table(msi, "Component")}

    def product(msi: Path, name: str) -> str:
        return next(row["Value"] for row in table(msi, "Property") if row["Property"] == name)

    assert parts(older) == parts(same) == parts(newer)
    assert len(set(parts(older).values())) == len(parts(older))
    assert product(older, "ProductCode") == product(same, "ProductCode") != product(newer, "ProductCode")
    assert product(older, "UpgradeCode") == product(newer, "UpgradeCode")
    replaced = next(row for row in table(newer, "Upgrade") if row["ActionProperty"] == "WIX_UPGRADE_DETECTED")
    assert (replaced["VersionMax"], replaced["Attributes"]) == ("99.0.0", "513")


def test_versions_of_programs_are_known(packages: tuple[Path, Path]) -> None:
    """Windows compares versions of programs: they are in the table, without the digest for other files."""
    rows = {row["FileName"]: row for row in table(packages[0], "File")}
    digests = {row["File_"] for row in table(packages[0], "MsiFileHash")}

    assert rows["python.exe"]["Version"] == "9.99.1150.1013"
    assert rows["python.exe"]["File"] not in digests
    assert rows["client.py"]["Version"] == ""
    assert rows["client.py"]["File"] in digests


def test_the_recipe_pins_everything() -> None:
    """Each part has a digest; the libraries are those of constraints.txt."""
    recipe = tomllib.loads((WINDOWS / "recipe.toml").read_text(encoding="utf-8"))
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wheels = {one["name"]: one["file"] for one in recipe["wheel"]}

    assert all(re.fullmatch(r"[0-9a-f]{64}", one["sha256"]) for one in [recipe["python"], *recipe["wheel"]])
    assert recipe["python"]["url"].endswith(recipe["python"]["file"])
    assert set(wheels) == {"psutil", "paho-mqtt"}
    assert {f"{name}=={file.split('-')[1]}" for name, file in wheels.items()} <= set(constraints)


def refused(wheel: Path, tmp_path: Path, recipe: Path | None) -> str:
    """Why a build was refused; nothing may have been made."""
    done = build(tmp_path / "parts", wheel, tmp_path / "out", recipe)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "out").glob("*"))
    return done.stderr


def test_an_interpreter_that_is_not_the_pinned_one_is_refused(wheel: Path, tmp_path: Path) -> None:
    """The stand-in of these tests against the real recipe, and a changed part against its own."""
    recipe = make_parts(tmp_path / "parts")
    assert "recipe.toml says where to get it" in refused(wheel, tmp_path, None)

    (tmp_path / "parts" / PYTHON).write_bytes(b"something else")
    assert "the recipe wants" in refused(wheel, tmp_path, recipe)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"../../evil.py": b""}, "leads out of its folder"),
        ({"python.exe": program()}, "not an embeddable CPython"),
    ],
)
def test_a_pinned_archive_that_is_not_right_is_refused(
    wheel: Path, tmp_path: Path, files: dict[str, bytes], told: str
) -> None:
    """Names that leave the folder, and other things than an embeddable interpreter."""
    make_parts(tmp_path / "parts")
    digests = {PYTHON: pack(tmp_path / "parts" / PYTHON, files)}
    digests |= {name: hashlib.sha256((tmp_path / "parts" / name).read_bytes()).hexdigest() for name in WHEELS}

    assert told in refused(wheel, tmp_path, write_recipe(tmp_path / "other.toml", digests))


def test_without_our_wheel_nothing_is_built(wheel: Path, tmp_path: Path) -> None:
    """Another wheel, or one that is not there."""
    recipe = make_parts(tmp_path / "parts")

    for other in (tmp_path / "parts" / next(iter(WHEELS)), wheel.with_name("hatang-9-py3-none-any.whl")):
        assert "not our wheel" in refused(other, tmp_path, recipe)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_powershell_5_reads_the_scripts(path: Path) -> None:
    """UTF-8 with a mark and Windows line ends, or PowerShell 5 takes the Vietnamese for something else."""
    content = path.read_bytes()
    text = content.decode("utf-8-sig")

    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\n") == content.count(b"\r\n")
    assert "#Requires -RunAsAdministrator" in text
    assert "#Requires -Version 5.0" in text
    assert "$ErrorActionPreference = 'Stop'" in text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_are_whole(path: Path) -> None:
    """No token that is none, every bracket closed, nothing that only later PowerShells know."""
    text = path.read_bytes().decode("utf-8-sig")
    closing = {")": "(", "]": "[", "}": "{"}
    open_ones: list[str] = []
    code = ""
    for kind, value in PowerShellLexer().get_tokens(text):
        assert kind not in Error, value
        code += "" if kind in Comment else value
        for sign in value if kind in Punctuation else "":
            if sign in closing.values():
                open_ones.append(sign)
            elif sign in closing:
                assert open_ones.pop() == closing[sign]

    assert open_ones == []
    assert not re.search(
        r"\?\?|\?\.|&&|\|\||ForEach-Object -Parallel|Get-WmiObject|Invoke-Expression|wmic", code
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_parser_of_powershell_finds_no_mistake(path: Path) -> None:
    """A whole grammar, where it is installed (tree-sitter-powershell)."""
    grammar = pytest.importorskip("tree_sitter_powershell")
    library = pytest.importorskip("tree_sitter")
    found = library.Parser(library.Language(grammar.language())).parse(path.read_bytes()[3:])

    assert not found.root_node.has_error


def test_scripts_and_service_mean_the_same(packages: tuple[Path, Path]) -> None:
    """Names, values and rights are those of the MSI and of the service."""
    from hatang_agent import service_windows_api as api

    text = (WINDOWS / "install.ps1").read_text(encoding="utf-8-sig")
    (closed,) = table(packages[0], "MsiLockPermissionsEx")
    (service,) = table(packages[0], "ServiceInstall")
    restarts = "/".join(f"restart/{delay}" for delay in api.RESTARTS_MS)

    assert api.HAND_OVER.replace(SERVICE, "$Name") in text
    assert {row["Key"] for row in table(packages[0], "Registry")} == {api.HAND_OVER}
    assert closed["SDDLText"] in text
    assert service["Arguments"] in text
    assert restarts in text
    assert f"'reset=', '{api.FORGET_FAILURES_S}'" in text
    assert {f"{row['Name']} = ${row['Name']}" in text for row in table(packages[0], "Registry")} == {True}


@pytest.fixture
def wine(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a Wine of this test alone."""
    if not WINE.is_file():
        pytest.skip("wine64 is not installed; it is large and not asked for in CI")
    env = {**os.environ, "WINEPREFIX": str(tmp_path / "wine"), "WINEDEBUG": "-all", "DISPLAY": ""}
    subprocess.run([str(WINE), "wineboot", "-i"], env=env, capture_output=True, check=True, timeout=110)
    yield env
    subprocess.run([str(WINE.with_name("wineserver64")), "-k"], env=env, capture_output=True, check=False)


def test_another_installer_takes_the_msi(wine: dict[str, str], wheel: Path, tmp_path: Path) -> None:
    """Under Wine: refused before Windows 10; installed, upgraded, not downgraded, removed whole."""
    exe = next(Path("/usr/lib").rglob("x86_64-windows/cmd.exe")).read_bytes()
    recipe = make_parts(tmp_path / "parts", exe)
    first = Path(build(tmp_path / "parts", wheel, tmp_path / "out", recipe).stdout.splitlines()[0])
    (tmp_path / "wheels").mkdir()
    gone_file = "hatang_agent/commands/doctor.py"
    newer = repacked(wheel, tmp_path / "wheels", "99.0.0", without=gone_file, **{"hatang_agent/new.py": b""})
    second = Path(build(tmp_path / "parts", newer, tmp_path / "out", recipe).stdout.splitlines()[0])
    programs = tmp_path / "wine/drive_c/Program Files/hatang-agent"
    services = r"HKLM\SYSTEM\CurrentControlSet\Services\hatang-agent"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(WINE), *words], env=wine, capture_output=True, text=True, check=False, timeout=110
        )

    def msiexec(*words: str) -> bool:
        return run("msiexec", *words, "/qn").returncode == 0

    assert not msiexec("/i", f"Z:{first}", "TOKEN=secret")
    assert not programs.exists()

    run("winecfg", "-v", "win10")
    assert msiexec(
        "/i", f"Z:{first}", "URL=https://10.0.0.5:8443", "PIN=aabb", "TOKEN=secret", "STAFFGROUP=cbcc"
    )
    assert (programs / "lib" / gone_file).is_file()
    handed = run("reg", "query", r"HKLM\SOFTWARE\hatang-agent\Enrol").stdout
    assert re.search(r"Token\s+REG_SZ\s+secret", handed)
    assert re.search(r"StaffGroup\s+REG_SZ\s+cbcc", handed)
    assert "service_windows" in run("reg", "query", services).stdout

    assert msiexec("/i", f"Z:{second}")
    assert (programs / "lib/hatang_agent/new.py").is_file()
    assert not (programs / "lib" / gone_file).exists()
    assert "service_windows" in run("reg", "query", services).stdout
    assert not msiexec("/i", f"Z:{first}")

    state = tmp_path / "wine/drive_c/ProgramData/hatang-agent"
    state.mkdir()
    (state / "credential.json").write_text("{}", encoding="ascii")
    assert msiexec("/x", f"Z:{second}")
    assert not programs.exists()
    assert not state.exists()
    assert run("reg", "query", services).returncode != 0
    assert run("reg", "query", r"HKLM\SOFTWARE\hatang-agent").returncode != 0
