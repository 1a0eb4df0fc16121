"""What is asked to know whether a network or a service is reached, as one line of text. Pure.

A target is written ``LABEL METHOD ADDRESS``, the label being the name of a network (``cpnet``,
``internet``) or the code of a service::

    cpnet icmp 10.0.0.1                     a host or an address
    internet tcp 203.0.113.5:443            host:port, IPv6 as [2001:db8::1]:443
    internet tls portal.example.vn          host or host:port (443)
    mot-cua http https://mc.example.vn/     an address of the web; without a scheme it is https
    internet dns example.vn                 a name, asked of the system's own name server
    internet dns example.vn@203.0.113.53    a name, asked of that server (an address)
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

MAX_TEXT: Final = 300
_LABEL: Final = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,62}[^\s\x00-\x1f\x7f])?")
_NAME_PART: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_HTTP_PORTS: Final = {"http": 80, "https": 443}


class Method(StrEnum):
    """How a target is asked. Never a login, never content."""

    ICMP = "icmp"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    DNS = "dns"


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to ask; ``address`` is as it was written, the rest is what was read from it.

    ``port`` is 0 where the method has none. ``path`` and ``secure`` are of ``http``, ``server`` (an
    address, '' for the system's own) of ``dns``, where ``host`` is the name that is asked for.
    """

    label: str
    method: Method
    address: str
    host: str
    port: int = 0
    path: str = ""
    secure: bool = False
    server: str = ""

    def __str__(self) -> str:
        return f"{self.label} {self.method} {self.address}"

    @property
    def where(self) -> str:
        """Method and address: what people are told."""
        return f"{self.method} {self.address}"

    @property
    def contact(self) -> str:
        """The host that has to answer: a name or an address; '' for the system's own name server."""
        return self.server if self.method is Method.DNS else self.host


def parse(text: str) -> Target:
    """The target of a line. Raises ValueError that quotes the line and says what to write."""
    words = text.rsplit(maxsplit=2)
    if len(words) != 3 or len(text) > MAX_TEXT:
        raise ValueError(f"{text[:60]!r}: write 'network method address', such as 'cpnet icmp 10.0.0.1'")
    label, method, address = words
    if not _LABEL.fullmatch(label):
        raise ValueError(f"{text!r}: the name before the method is not one; give at most 64 characters")
    if method not in list(Method):
        raise ValueError(f"{text!r}: {method!r} is no method; choose one of {', '.join(Method)}")
    try:
        return _READERS[Method(method)](label, address)
    except ValueError as error:
        shown = re.sub(r"//[^/]*@", "//…@", text)  # a password that somebody wrote there is not repeated
        raise ValueError(f"{shown!r}: {error}") from None


def make(label: str, method: str, address: str) -> Target:
    """The target of its three parts, read as strictly as its line. Raises ValueError."""
    return parse(f"{label} {method} {address.strip()}")


def _icmp(label: str, address: str) -> Target:
    return Target(label, Method.ICMP, address, _host(address.removeprefix("[").removesuffix("]")))


def _tcp(label: str, address: str) -> Target:
    host, port = _host_port(address)
    if not port:
        raise ValueError("give host:port, IPv6 as [address]:port")
    return Target(label, Method.TCP, address, host, port)


def _tls(label: str, address: str) -> Target:
    host, port = _host_port(address)
    return Target(label, Method.TLS, address, host, port or _HTTP_PORTS["https"], secure=True)


def _http(label: str, address: str) -> Target:
    parts = urlsplit(address if "://" in address else f"https://{address}")
    if parts.scheme not in _HTTP_PORTS:
        raise ValueError(f"{parts.scheme!r} is no address of the web; write http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("a name or password in the address; leave it out, nothing ever logs in")
    if not address.isascii():
        raise ValueError("letters that no address of the web has; write them as the browser copies them")
    host = _host(parts.hostname or "")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("a port is a number from 1 to 65535")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    secure = parts.scheme == "https"
    return Target(label, Method.HTTP, address, host, port or _HTTP_PORTS[parts.scheme], path, secure)


def _dns(label: str, address: str) -> Target:
    name, at, server = address.partition("@")
    if at:
        try:
            ipaddress.ip_address(server)
        except ValueError:
            raise ValueError(f"the name server {server!r} is no address; give its IP address") from None
    host = _host(name.removesuffix("."))
    if is_address(host):
        raise ValueError("an address where a name is due; name servers are asked for names")
    return Target(label, Method.DNS, address, host, 53, server=server)


_READERS: Final = {
    Method.ICMP: _icmp,
    Method.TCP: _tcp,
    Method.TLS: _tls,
    Method.HTTP: _http,
    Method.DNS: _dns,
}


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host_port(text: str) -> tuple[str, int]:
    """Host and port, 0 when none is given."""
    if found := re.fullmatch(r"\[([^\[\]]+)\](?::(\d{1,5}))?", text):
        host, port = found[1], found[2]
        if ":" not in host or not is_address(host):
            raise ValueError("what is in brackets is no IPv6 address")
    elif found := re.fullmatch(r"([^:\[\]]+)(?::(\d{1,5}))?", text):
        host, port = found[1], found[2]
    else:
        raise ValueError("give host:port, IPv6 as [address]:port")
    if port is not None and not 1 <= int(port) <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return _host(host), int(port or 0)


def _host(text: str) -> str:
    """An address, or a name in the letters that travel (``xn--`` for others). Raises ValueError."""
    if is_address(text):
        return text
    try:
        name = text.encode("idna").decode() if not text.isascii() else text
    except UnicodeError:
        name = ""
    parts = name.removesuffix(".").split(".")
    if not name or len(name) > 253 or not all(_NAME_PART.fullmatch(part) for part in parts):
        raise ValueError(f"{text!r} is neither a host name nor an IP address")
    if re.fullmatch(r"[\d.]+", name):
        raise ValueError(f"{text!r} is not an IP address; four numbers from 0 to 255")
    return name.lower()
