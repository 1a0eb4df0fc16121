#!/bin/sh
# hatang-agent of the Debian package.
# Root becomes the agent's own user, with the capabilities the service has: what enrolment writes
# belongs to that user, and what root is shown is what the service measures.
set -eu
program="/usr/bin/python3 -I /usr/lib/hatang-agent"
user=hatang-agent
capabilities=+net_raw,+net_admin
state=/var/lib/hatang-agent
if [ "$(id -u)" -ne 0 ]; then
    # shellcheck disable=SC2086 # two words and an option
    exec $program "$@"
fi
if ! id -u "$user" >/dev/null 2>&1; then
    echo "hatang-agent: the user $user is missing; run: dpkg-reconfigure hatang-agent" >&2
    exit 1
fi
export XDG_STATE_HOME="${state%/*}"
export HOME="$state"
cd /
become="setpriv --reuid=$user --regid=$user --init-groups --no-new-privs
    --inh-caps=-all,$capabilities --ambient-caps=-all,$capabilities --bounding-set=-all,$capabilities --"
if [ "${1:-}" != enroll ]; then
    # shellcheck disable=SC2086
    exec $become $program "$@"
fi
# shellcheck disable=SC2086
$become $program "$@"
if [ -e "$state/credential.json" ] && [ -d /run/systemd/system ]; then
    echo "bước tiếp theo / next: systemctl enable --now hatang-agent"
fi
