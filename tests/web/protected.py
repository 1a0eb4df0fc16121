"""Machines that tell which networks they reach and how they are protected."""

from __future__ import annotations

from hatang_agent.wire.report import Fact
from hatang_collector.domain.estate import Estate, Method, Network, Site, SiteUnit, Target, Unit
from web.test_web_sites import place
from web.webkit import World, usage

CPNET = Target("t-cpnet", Network.CPNET, Method.ICMP, "10.0.0.1", unit="1")
INTERNET = Target("t-internet", Network.INTERNET, Method.TCP, "203.0.113.5:443", unit="1")
ESTATE = Estate(
    units=(Unit("46", "Tỉnh"), Unit("1", "UBND xã Một", "xã", "46", 1), Unit("2", "UBND xã Hai", "xã", "46")),
    sites=(Site("S1", "Trụ sở Một"), Site("S2", "Trụ sở Hai")),
    site_units=(SiteUnit("S1", "1"), SiteUnit("S2", "2")),
    targets=(CPNET, INTERNET),
)


def reach(network: str, reached: str, source: str = "eth0", how: str = "") -> Fact:
    """What one path says of a network."""
    fields: dict[str, str | float] = {"network": network, "source": source, "reached": reached}
    if reached == "yes":
        fields |= {"rtt_ms": 2.5, "loss": 0.0}
    return Fact("network_reach", f"{network} {source}", {**fields, "how": how or f"icmp {source}"})


def add(world: World, number: int, site: str = "S1", staff_group: str = "") -> str:
    """A machine at a site."""
    agent = world.add(number, f"Máy {number}", asset_code=f"A{number}")
    place(world, agent, site, staff_group=staff_group)
    return agent


def tell(
    world: World,
    agent: str,
    *,
    cpnet: str = "",
    internet: str = "",
    antivirus: str = "",
    firewall: str = "",
    why: str = "",
    at_ms: int | None = None,
) -> None:
    """A report of each probe that has something to say; '' for nothing."""
    networks = [reach(name, word) for name, word in (("cpnet", cpnet), ("internet", internet)) if word]
    if networks:
        world.report(agent, (), probe="networks", facts=tuple(networks), at_ms=at_ms)
    for probe, kind, state in (
        ("antivirus", "antivirus_summary", antivirus),
        ("firewall", "firewall", firewall),
    ):
        if state:
            fields = {"state": state, "why": why, "product": f"Sản phẩm {probe}"}
            world.report(agent, (), probe=probe, facts=(Fact(kind, "", fields),), at_ms=at_ms)
    world.report(agent, usage(1.0), at_ms=at_ms)
