"""Lines that name a target are read strictly, and say what is wrong with them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.net.targets import Method, Target, make, parse

GOOD = [
    ("cpnet icmp 10.0.0.1", "10.0.0.1", 0, "", "10.0.0.1"),
    ("cpnet icmp 2001:db8::1", "2001:db8::1", 0, "", "2001:db8::1"),
    ("cpnet icmp [2001:db8::1]", "2001:db8::1", 0, "", "2001:db8::1"),
    ("cpnet icmp Cong.Hue.Gov.VN", "cong.hue.gov.vn", 0, "", "cong.hue.gov.vn"),
    ("internet tcp 203.0.113.5:443", "203.0.113.5", 443, "", "203.0.113.5"),
    ("internet tcp [2001:db8::1]:443", "2001:db8::1", 443, "", "2001:db8::1"),
    ("internet tls example.vn", "example.vn", 443, "", "example.vn"),
    ("internet tls example.vn:8443", "example.vn", 8443, "", "example.vn"),
    ("mc http https://mc.example.vn/a?b=c", "mc.example.vn", 443, "/a?b=c", "mc.example.vn"),
    ("mc http http://mc.example.vn:8080", "mc.example.vn", 8080, "/", "mc.example.vn"),
    ("mc http mc.example.vn", "mc.example.vn", 443, "/", "mc.example.vn"),
    ("mc http http://[2001:db8::1]:81/x", "2001:db8::1", 81, "/x", "2001:db8::1"),
    ("internet dns example.vn", "example.vn", 53, "", ""),
    ("internet dns example.vn.@203.0.113.53", "example.vn", 53, "", "203.0.113.53"),
    ("Một cửa tcp mc.example.vn:443", "mc.example.vn", 443, "", "mc.example.vn"),
    ("x icmp huế.vn", "xn--hu-07s.vn", 0, "", "xn--hu-07s.vn"),
]


@pytest.mark.parametrize(("line", "host", "port", "path", "contact"), GOOD)
def test_a_target_is_read(line: str, host: str, port: int, path: str, contact: str) -> None:
    """Label, host, port and path; the line is kept as it was written."""
    target = parse(line)
    assert (target.host, target.port, target.path, target.contact) == (host, port, path, contact)
    assert str(target) == line
    assert parse(str(target)) == target


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "write 'network method address'"),
        ("cpnet 10.0.0.1", "write 'network method address'"),
        ("cpnet ping 10.0.0.1", "choose one of icmp, tcp, tls, http, dns"),
        ("cpnet icmp 10.0.0.300", "not an IP address"),
        ("cpnet icmp 10.0.0", "not an IP address"),
        ("cpnet icmp a..b", "neither a host name nor an IP address"),
        ("cpnet icmp -a.vn", "neither a host name nor an IP address"),
        ("cpnet tcp 10.0.0.1", "give host:port"),
        ("cpnet tcp 2001:db8::1:443", "give host:port"),
        ("cpnet tcp 10.0.0.1:0", "from 1 to 65535"),
        ("cpnet tcp 10.0.0.1:70000", "from 1 to 65535"),
        ("cpnet tcp [10.0.0.1]:80", "no IPv6 address"),
        ("x http ftp://a.vn/", "write http:// or https://"),
        ("x http https://admin:secret@a.vn/", "nothing ever logs in"),
        ("x http https://a.vn:0/", "from 1 to 65535"),
        ("x http https://a.vn:99999/", "from 1 to 65535"),
        ("x http https://xã.vn/", "as the browser copies them"),
        ("x http https:///a", "neither a host name nor an IP address"),
        ("x dns 10.0.0.1", "an address where a name is due"),
        ("x dns a.vn@b.vn", "give its IP address"),
        ("x" * 65 + " icmp a.vn", "at most 64 characters"),
        ("x icmp " + "a" * 300, "write 'network method address'"),
    ],
)
def test_a_slip_is_named(line: str, said: str) -> None:
    """The error quotes the line and says what to write."""
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        parse(line)
    assert line[:12] in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_a_target_or_a_named_slip(line: str) -> None:
    """Nothing else comes out of it, and what is read is read again in the same way."""
    try:
        target = parse(line)
    except ValueError:
        return
    assert parse(str(target)) == target


@given(st.ip_addresses(), st.integers(1, 65535), st.sampled_from(["cpnet", "Một cửa"]))
def test_every_address_and_port_fits(address: object, port: int, label: str) -> None:
    """Both kinds of addresses, with brackets where they are due."""
    host = str(address)
    written = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert make(label, "tcp", written) == Target(label, Method.TCP, written, host, port)
    assert make(label, "icmp", host).contact == host
