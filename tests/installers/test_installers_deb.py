"""The Debian package: what is in it, and a whole life of it on a throw-away machine with a real systemd."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from hatang_agent import __version__
from installers.conftest import built, need
from installers.throwaway import SERIAL, UUID, Box
from support.stack import ROOT, Stack
from support.wait import until

UNIT = "hatang-agent.service"
UNIT_FILE = ROOT / "deploy/agent-debian/files/hatang-agent.service"
STATE = "/var/lib/hatang-agent"
SITE = "/usr/lib/hatang-agent"
CAPABILITIES = 1 << 12 | 1 << 13  # CAP_NET_ADMIN, CAP_NET_RAW of linux/capability.h


def contents(deb: Path) -> dict[str, tarfile.TarInfo]:
    """Files and folders of a package by name."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], capture_output=True, check=True).stdout
    folder = deb.parent / f"{deb.name}.tar"
    folder.write_bytes(data)
    with tarfile.open(folder) as archive:
        return {member.name.removeprefix("."): member for member in archive}


def read(deb: Path, name: str) -> bytes:
    """One file of a package."""
    contents(deb)
    with tarfile.open(deb.parent / f"{deb.name}.tar") as archive:
        found = archive.extractfile(f".{name}")
        assert found is not None
        return found.read()


def test_the_package_holds_the_agent_and_nothing_else(deb: Path) -> None:
    """Every module of the agent, the pinned paho, no collector, no caches; all of it root's."""
    found = contents(deb)
    own = {
        f"{SITE}/hatang_agent/{path.relative_to(ROOT / 'agent/hatang_agent')}"
        for path in (ROOT / "agent/hatang_agent").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert own <= set(found)
    assert f"{SITE}/paho/mqtt/client.py" in found
    assert not [name for name in found if "__pycache__" in name or "hatang_collector" in name]
    assert {(member.uid, member.gid) for member in found.values()} == {(0, 0)}
    assert not [name for name, member in found.items() if member.mode & 0o022]
    assert __version__.encode() in gzip.decompress(read(deb, "/usr/share/doc/hatang-agent/changelog.gz"))


def test_the_same_sources_give_the_same_package(tmp_path: Path) -> None:
    """Built twice, byte for byte the same: a published hash can be checked by anybody."""
    need("dpkg-deb")
    one, two = (Path(built(tmp_path / name).stdout.strip()) for name in ("one", "two"))

    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("words", "env", "told"),
    [
        (["../x"], {}, "is not a version"),
        ([], {"PYTHON": "/usr/bin/false"}, "constraints.txt wants"),
    ],
)
def test_a_build_that_cannot_be_right_is_refused(
    tmp_path: Path, words: list[str], env: dict[str, str], told: str
) -> None:
    """One line with the next step, and no package."""
    need("dpkg-deb")
    done = built(tmp_path / "out", *words, **env)

    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_lintian_has_nothing_to_say(deb: Path) -> None:
    """Debian's own check, up to its pedantic remarks."""
    need("lintian")
    done = subprocess.run(
        ["lintian", "--display-info", "--pedantic", "--allow-root", str(deb)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == ""


def test_the_unit_is_right_and_tight(tmp_path: Path) -> None:
    """Systemd knows every key (older ones not the growing pause), and calls the exposure low."""
    need("systemd-analyze")
    unit = tmp_path / UNIT
    text = UNIT_FILE.read_text(encoding="utf-8")
    unit.write_text(text.replace("/usr/bin/hatang-agent", shutil.which("true") or ""), encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    secure = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    strange = [
        line
        for line in verified.stderr.splitlines()
        if UNIT in line and not re.search(r"Unknown key.*'(RestartSteps|RestartMaxDelaySec)'", line)
    ]

    assert strange == []
    level = re.search(r"Overall exposure level .*: ([\d.]+)", secure.stdout)
    assert level is not None
    assert float(level[1]) <= 2.5


def status_of(box: Box) -> dict[str, str]:
    """What the kernel says of the running service."""
    pid = box.shown(UNIT, "MainPID")
    text = box.ok("cat", f"/proc/{pid}/status")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def install(box: Box, deb: Path) -> str:
    """Install or upgrade; what was told."""
    shutil.copy(deb, box.share)
    return box.ok("dpkg", "--install", f"/run/share/{deb.name}")


def footprint(box: Box) -> set[str]:
    """Everything on the machine that carries our name."""
    listed = box.ok(
        "find", "/etc", "/usr", "/var", "/run", "-xdev",
        "(", "-path", "/usr/share/doc/*", "-o", "-path", "/run/share", "-o", "-path", "/run/log/*", ")",
        "-prune", "-o", "-name", "*hatang*", "-print",
    )  # fmt: skip
    return {line for line in listed.splitlines() if not line.startswith(("/var/lib/dpkg/info/", "/var/log/"))}


def test_a_whole_life_on_a_machine(box: Box, deb: Path, stack: Stack, tmp_path: Path) -> None:
    """Install, enrol, run, upgrade, remove, purge: it measures, keeps its identity, and leaves nothing."""
    before = footprint(box)
    told = install(box, deb)
    assert "not enrolled" in told
    assert box.ok("systemctl", "is-enabled", UNIT).strip() == "enabled"
    assert box.shown(UNIT, "ActiveState") == "inactive"  # its condition: there is no identity yet
    assert box.shown(UNIT, "ConditionResult") == "no"
    assert box.ok("stat", "-c", "%U:%G %a", STATE).strip() == "hatang-agent:hatang-agent 700"

    stack.start()
    line = json.loads(stack.run("tokens", "create", "--role", "pc", "--json").stdout)["enroll"]
    enrolled = box.ok("sh", "-c", f"{line} --label 'Kế toán 2'")
    assert "systemctl enable --now hatang-agent" in enrolled
    agent = re.search(r"enrolled as (\w+)", enrolled)
    assert agent is not None
    assert box.ok("stat", "-c", "%U %a", f"{STATE}/credential.json").strip() == "hatang-agent 600"

    box.ok("systemctl", "enable", "--now", "hatang-agent")
    until(lambda: stack.receipts(agent[1]).reports > 0, 40, "a report arrives", every_s=0.2)
    status = status_of(box)
    limit = box.ok(
        "sh",
        "-c",
        f"cat /sys/fs/cgroup/memory/system.slice/{UNIT}/memory.limit_in_bytes || "
        f"cat /sys/fs/cgroup/system.slice/{UNIT}/memory.max",
    )
    assert int(limit) == 192 * 1024 * 1024
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == CAPABILITIES
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert "0" not in status["Uid"].split()
    assert "BAD" not in box.run("hatang-agent", "doctor", "--lang", "en").stdout

    reports = stack.receipts(agent[1]).reports
    newer = Path(built(tmp_path, f"{__version__}+later1").stdout.strip())
    pid = box.shown(UNIT, "MainPID")
    install(box, newer)
    assert box.shown(UNIT, "ActiveState") == "active"
    assert box.shown(UNIT, "MainPID") != pid
    until(lambda: stack.receipts(agent[1]).reports > reports, 40, "the newer one reports", every_s=0.2)
    assert f'"{agent[1]}"' in box.ok("cat", f"{STATE}/credential.json")

    box.ok("dpkg", "--remove", "hatang-agent")
    assert box.run("systemctl", "is-active", UNIT).stdout.strip() != "active"
    assert box.has(f"{STATE}/credential.json")  # a removal is undone by installing again
    assert not box.has(SITE)
    assert not box.has("/usr/bin/hatang-agent")

    box.ok("dpkg", "--purge", "hatang-agent")
    assert footprint(box) == before
    assert box.run("getent", "passwd", "hatang-agent").returncode != 0
    assert box.run("getent", "group", "hatang-agent").returncode != 0


def test_the_service_reads_serial_numbers_and_nothing_else_of_root(box: Box, deb: Path) -> None:
    """The fingerprint holds what the kernel shows to root only; other closed files stay closed."""
    install(box, deb)
    script = (
        "from hatang_agent.enrolment import fingerprint; from hatang_agent.system import LocalSystem; "
        "import json; print(json.dumps(fingerprint(LocalSystem())))"
    )
    box.ok("sh", "-c", f"cp {SITE}/__main__.py /root/kept && echo '{script}' > {SITE}/__main__.py")
    found = json.loads(box.ok("hatang-agent", "anything"))
    box.ok("cp", "/root/kept", f"{SITE}/__main__.py")

    assert (found["smbios_uuid"], found["board_serial"]) == (UUID, SERIAL.lower())
    closed = box.run("hatang-agent", "check-config", "/etc/shadow")
    assert closed.returncode == 2
    assert "Permission denied" in closed.stderr


def test_an_identity_that_root_made_earlier_is_taken_over(box: Box, deb: Path) -> None:
    """A machine enrolled from a source tree: the package makes the state the service's own."""
    box.ok("sh", "-c", f"mkdir -p {STATE} && echo '{{}}' > {STATE}/credential.json && chmod 600 {STATE}/*")
    box.ok("ln", "-s", "/etc/shadow", f"{STATE}/trap")

    install(box, deb)

    assert box.ok("stat", "-c", "%U %a", f"{STATE}/credential.json").strip() == "hatang-agent 600"
    assert box.ok("stat", "-c", "%U", "/etc/shadow").strip() == "root"


def test_a_broken_agent_is_started_again(box: Box, deb: Path) -> None:
    """A damaged identity ends the agent; systemd tries again, for as long as it takes."""
    install(box, deb)
    box.ok("sh", "-c", f"echo '{{}}' > {STATE}/credential.json")

    box.ok(
        "sh",
        "-c",
        f"mkdir -p /run/systemd/system/{UNIT}.d && "
        f"printf '[Service]\\nRestartSec=100ms\\nRestartSteps=0\\n' > /run/systemd/system/{UNIT}.d/fast.conf",
    )
    box.ok("systemctl", "daemon-reload")
    box.run("systemctl", "start", UNIT)

    until(lambda: int(box.shown(UNIT, "NRestarts")) >= 6, 30, "it is started again and again", every_s=0.2)
    assert "damaged" in box.ok("journalctl", "--no-pager", "--unit", UNIT)


def test_settings_of_a_person_survive_an_upgrade(box: Box, deb: Path, tmp_path: Path) -> None:
    """The settings file is a conffile; a purge takes it away."""
    install(box, deb)
    box.ok("sh", "-c", "echo 'label = \"Một cửa\"' >> /etc/hatang/agent.toml")

    install(box, Path(built(tmp_path, f"{__version__}+later1").stdout.strip()))

    assert "Một cửa" in box.ok("cat", "/etc/hatang/agent.toml")
    assert box.run("hatang-agent", "check-config", "/etc/hatang/agent.toml").returncode == 0
    box.ok("dpkg", "--purge", "hatang-agent")
    assert not box.has("/etc/hatang")


INSIDE = """
import json, pathlib, socket, subprocess

def tried(action):
    try:
        action()
    except (OSError, subprocess.SubprocessError) as error:
        return type(error).__name__
    return "ok"

def journal():
    subprocess.run(["journalctl", "--no-pager", "--lines", "1", "--quiet"], check=True, capture_output=True)

def bound():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\\0")

sockets = {
    "icmp": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "arp": (socket.AF_PACKET, socket.SOCK_DGRAM, 0),
    "netlink": (socket.AF_NETLINK, socket.SOCK_RAW, 12),
    "can": (29, socket.SOCK_RAW, 1),
}
found = {name: tried(lambda kind=kind: socket.socket(*kind).close()) for name, kind in sockets.items()}
found["bound"] = tried(bound)
found["journal"] = tried(journal)
found["shadow"] = tried(lambda: pathlib.Path("/etc/shadow").read_bytes())
found["root"] = tried(lambda: list(pathlib.Path("/root").iterdir()))
for place in ("/etc", "/usr", "/var/log", "/home", "/run/share"):
    found[place] = tried(lambda place=place: pathlib.Path(place, "written").touch())
found["state"] = tried(lambda: pathlib.Path("/var/lib/hatang-agent/written").touch())
print(json.dumps(found))
"""


def test_the_sandbox_lets_probes_work_and_nothing_else(box: Box, deb: Path) -> None:
    """Under the unit's own directives: ICMP, ARP, netlink, journal; no foreign file, no other socket."""
    install(box, deb)
    box.ok("sh", "-c", f"echo '{{}}' > {STATE}/credential.json")
    (box.share / "inside.py").write_text(INSIDE, encoding="ascii")
    drop_in = (
        "[Service]\nType=oneshot\nRestart=no\nExecStart=\n"
        "ExecStart=/usr/bin/python3 -I /run/share/inside.py\n"
        "StandardOutput=file:/run/inside.json\n"
    )
    (box.share / "x.conf").write_text(drop_in, encoding="ascii")
    box.ok(
        "sh",
        "-c",
        f"mkdir /run/systemd/system/{UNIT}.d && cp /run/share/x.conf /run/systemd/system/{UNIT}.d/",
    )
    box.ok("systemctl", "daemon-reload")
    box.run("systemctl", "start", UNIT)

    found = json.loads(box.ok("cat", "/run/inside.json"))

    works = {"icmp", "arp", "netlink", "bound", "journal", "state"}
    assert {name for name, outcome in found.items() if outcome == "ok"} == works
