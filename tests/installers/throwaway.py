"""A copy of this machine that is thrown away: an overlay of its files, processes of its own, a real systemd.

Whatever is installed, started or broken in it is gone when it ends; this machine is only read. The
network is shared, so that what runs inside reaches a collector outside. Needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from support.wait import until

SYSTEMD = "/lib/systemd/systemd"
SERIAL = "CNFCW0009300XY"
UUID = "4c4c4544-0042-3510-8052-b4c04f4e4d31"

# The box gets control groups of its own (named after its folder), a /dev and a /run of its own, and
# the numbers of a machine as the kernel shows them: to root only.
_MAKE = """
set -eu
box=$1 name=$2 share=$3 uuid=$4 serial=$5
mount --make-rprivate /
mount -t tmpfs box "$box"
mkdir "$box/upper" "$box/work" "$box/root"
mount -t overlay box -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" "$box/root"
cd "$box/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --rbind /sys sys
mount -t tmpfs -o mode=755 dev dev
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    numbers=${node#*:}
    mknod -m 666 "dev/${node%%:*}" c "${numbers%:*}" "${numbers#*:}"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs run run
mkdir run/share
mount --bind "$share" run/share
mkdir -p "$box/virtual/dmi/id" "$box/class"
for file in product_uuid:$uuid board_serial:$serial; do
    printf '%s\\n' "${file#*:}" > "$box/virtual/dmi/id/${file%%:*}"
    chmod 400 "$box/virtual/dmi/id/${file%%:*}"
done
mkdir "$box/virtual/net" "$box/class/net" "$box/class/dmi"
mount --rbind /sys/devices/virtual/net "$box/virtual/net"
mount --rbind /sys/class/net "$box/class/net"
ln -s ../../devices/virtual/dmi/id "$box/class/dmi/id"
mount --rbind "$box/virtual" sys/devices/virtual
mount --rbind "$box/class" sys/class
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
    mount -t cgroup2 cgroup sys/fs/cgroup
else
    mount -t tmpfs cgroup sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup sys/fs/cgroup/unified
fi
echo 0123456789abcdef0123456789abcdef > etc/machine-id
for unit in systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service \
    systemd-remount-fs.service systemd-timesyncd.service systemd-udevd.service systemd-udev-trigger.service \
    systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-tmpfiles-setup-dev.service \
    systemd-random-seed.service proc-sys-fs-binfmt_misc.automount sys-kernel-debug.mount \
    sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount \
    dev-mqueue.mount
do ln -sf /dev/null "etc/systemd/system/$unit"; done
printf '[Unit]\\nRequires=basic.target\\nAfter=basic.target\\n' > etc/systemd/system/box.target
rm -f usr/sbin/policy-rc.d
mkdir outside
pivot_root . outside
umount -l outside
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    /lib/systemd/systemd --system --unit=box.target --show-status=0
"""
_ENTER_GROUPS = """
set -eu
name=$1 made=$2
shift 2
while IFS=: read -r _ controllers path; do
    groups=/sys/fs/cgroup/${controllers#name=}
    [ -n "$controllers" ] || [ ! -d /sys/fs/cgroup/unified ] || groups=/sys/fs/cgroup/unified
    group="${groups%/}${path%/}/$name"
    mkdir "$group"
    echo "$group" >> "$made"
    for set in cpuset.cpus cpuset.mems; do  # the old cpuset takes nobody in before these are set
        [ "$controllers" != cpuset ] || cat "${group%/*}/$set" > "$group/$set"
    done
    echo $$ > "$group/cgroup.procs"
done < /proc/self/cgroup
exec "$@"
"""


@cache
def no_box() -> str | None:
    """Why there can be no such box here, None when there can."""
    if os.geteuid() != 0:
        return "a throw-away machine needs root"
    for program in (SYSTEMD, "unshare", "nsenter", "dpkg-deb", "pivot_root"):
        if shutil.which(program) is None and not Path(program).is_file():
            return f"{program} is not here"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "sh", "-c",
         "mount --make-rprivate / && mount -t tmpfs t /mnt && mkdir /mnt/a /mnt/b /mnt/c && "
         "mount -t overlay t -o lowerdir=/,upperdir=/mnt/a,workdir=/mnt/b /mnt/c"],
        capture_output=True,
        check=False,
    )  # fmt: skip
    return None if tried.returncode == 0 else "namespaces or overlays are not allowed here"


@dataclass
class Box:
    """A running throw-away machine; ``share`` is a folder of ours that it sees as ``/run/share``."""

    name: str
    share: Path
    pid: int

    def run(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command in it as root, run to its end."""
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--all", "--root", "--wd", "env", "-i",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )  # fmt: skip

    def ok(self, *argv: str) -> str:
        """What a command that must succeed prints."""
        done = self.run(*argv)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def has(self, path: str) -> bool:
        """Whether a file is there."""
        return self.run("test", "-e", path).returncode == 0

    def shown(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.ok("systemctl", "show", "--value", "--property", name, unit).strip()


@contextmanager
def throw_away() -> Iterator[Box]:
    """A box with systemd running, thrown away at the end."""
    with tempfile.TemporaryDirectory(prefix="hatang-box-") as folder:
        name = Path(folder).name
        inner, share = Path(folder, "box"), Path(folder, "share")
        inner.mkdir()
        share.mkdir()
        share.chmod(0o755)
        command = ["sh", "-c", _ENTER_GROUPS, "sh", name, str(Path(folder, "groups"))]
        command += ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--kill-child"]
        command += ["sh", "-c", _MAKE, "sh", str(inner), name, str(share), UUID, SERIAL]
        with Path(folder, "log.txt").open("wb") as log:
            outer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            box = Box(name, share, _child(outer, Path(folder, "log.txt")))
            until(lambda: _is_up(box), 30, "systemd answers", every_s=0.1)
            yield box
        finally:
            outer.kill()  # the namespace and everything in it go with it
            outer.wait()
            until(lambda: _groups_gone(Path(folder, "groups")), 20, "the control groups are empty")


def _child(outer: subprocess.Popen[bytes], log: Path) -> int:
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")

    def found() -> int:
        assert outer.poll() is None, log.read_text(errors="replace")
        words = children.read_text().split()
        if not words or _name_of(words[0]) != "systemd":
            return 0
        return int(words[0])

    return until(found, 20, "systemd is process 1 of the box")


def _is_up(box: Box) -> bool:
    return box.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")


def _groups_gone(made: Path) -> bool:
    groups = [Path(line) for line in made.read_text().splitlines()] if made.exists() else []
    for group in groups:
        for folder in sorted(group.rglob("*/"), reverse=True):
            _remove(folder)
        _remove(group)
    return not any(group.exists() for group in groups)


def _remove(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:  # its last process is still being buried; asked again
        return


def _name_of(pid: str) -> str:
    """The name of a process, '' when it has just ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
