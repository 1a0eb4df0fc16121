"""The machine's own firewall: on, partly on (and what is open), off, or not to be read.

Windows: its three profiles, which of them the live connection uses, and other makers' firewalls.
Linux: nftables and iptables for IPv4 and IPv6; rules that refuse nothing of what comes in are ``off``,
whatever they do for containers. macOS: the application firewall. What is not understood is never
``off`` but ``unreadable``, with the raw evidence. Only the rules are looked at, never the traffic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hatang_agent.registry import Context, Field, Result
from hatang_agent.wire.report import Fact

if TYPE_CHECKING:
    from hatang_agent.probes._firewall_verdict import Verdict

INTERVAL_S = 300
DEADLINE_S = 60
ROLES = ("pc", "probe")

SOURCES = {
    "linux": (
        "command `nft -j list ruleset` (`nft list ruleset` where nft has no JSON)",
        "commands `iptables-save` and `ip6tables-save`, unless nft showed that both families are filtered "
        "(`iptables-legacy-save` and `ip6tables-legacy-save` where older tables are in use, with `-t filter` "
        "where only root may know which; where they are "
        "missing `iptables -S`, `iptables -L -n -v`, `iptables -L -n`, `iptables -L`, the same of ip6tables)",
        "where no rules can be read: `ufw status` or `ufw status verbose`, `firewall-cmd --state`, "
        "`systemctl is-active firewalld.service ufw.service`, `systemctl status firewalld.service`",
        "files /proc/net/{if_inet6,dev,ip_tables_names,ip6_tables_names}, /etc/ufw/ufw.conf",
        "at most three commands are started in a run",
    ),
    "windows": (
        r"registry HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
        r"\{DomainProfile,StandardProfile,PublicProfile}",
        r"registry HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
        r"\{DomainProfile,PrivateProfile,StandardProfile,PublicProfile}",
        r"registry HKLM\SYSTEM\CurrentControlSet\Services\mpssvc, command `sc.exe query mpssvc`",
        r"registry HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles\<id>",
        r"registry HKLM\SOFTWARE\Microsoft\Security Center\Provider\Fw\<id> (only to see that it changed)",
        "WMI root/StandardCimv2 MSFT_NetFirewallProfile, MSFT_NetConnectionProfile; root/SecurityCenter2 "
        "FirewallProduct: one PowerShell for the three, when the above changed, else once a day (once an "
        "hour where another maker's firewall is registered)",
    ),
    "macos": (
        "command `/usr/libexec/ApplicationFirewall/socketfilterfw --getglobalstate`",
        "command `defaults read /Library/Preferences/com.apple.alf globalstate`",
    ),
}

FIELDS = (
    Field("firewall.state", "Tường lửa của máy: bật, bật một phần, tắt, không đọc được", "state", fact=True),
    Field("firewall.product", "Phần mềm tường lửa", "product", fact=True),
    Field("firewall.domain", "Tường lửa Windows ở mạng miền", "Windows, domain networks", fact=True),
    Field("firewall.private", "Tường lửa Windows ở mạng riêng", "Windows, private networks", fact=True),
    Field("firewall.public", "Tường lửa Windows ở mạng công cộng", "Windows, public networks", fact=True),
    Field("firewall.active_profile", "Loại mạng đang kết nối", "kind of the network in use", fact=True),
    Field("firewall.active_state", "Tường lửa ở mạng đang kết nối", "state on the network in use", fact=True),
    Field("firewall.why", "Lý do: phần nào đang tắt hoặc không đọc được", "what is off or unread", fact=True),
    Field("firewall.evidence", "Kết quả đọc được, rút gọn", "what was read, shortened", fact=True),
)

JSON_OBJECTS = {"firewall": {"profiles": ("domain", "private", "public")}}
"""Fields of a fact that `hatang-agent once --json` shows as one object; on the wire they are plain."""


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.firewall]: nothing to be set."""


def measure(context: Context) -> Result:
    """One fact ``firewall``; it is there on every machine, with state ``unreadable`` at the worst."""
    return Result(facts=[Fact("firewall", "", _look(context).fields())])


def _look(context: Context) -> Verdict:
    if context.system.platform == "linux":
        from hatang_agent.probes import firewall_linux

        return firewall_linux.look(context.system)
    if context.system.platform == "windows":
        from hatang_agent.probes import firewall_windows

        return firewall_windows.look(context.system, context.memory)
    from hatang_agent.probes import firewall_macos

    return firewall_macos.look(context.system)
