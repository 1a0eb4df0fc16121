"""Asking a collector for an identity: one HTTPS request with a token. No retries, no redirects.

Whom to trust is told by a person: a certificate authority in a file (``--ca``), or its *pin*, the
first digits of the SHA-256 of its certificate. With a pin the certificate itself is fetched from the
collector first; until it fits the pin, nothing is sent that anybody could use.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hatang_agent import __version__
from hatang_agent.identity import Credential
from hatang_agent.system import System
from hatang_agent.wire import codec
from hatang_agent.wire.messages import EnrolReply, EnrolRequest

if TYPE_CHECKING:
    import ssl
    import urllib.request

ROUTE: Final = "/api/v1/enrol"
CA_ROUTE: Final = "/ca.pem"
TIMEOUT_S: Final = 30.0
MIN_PIN: Final = 32
"""Hex digits of a pin at least: 128 bits, so that nobody can make an authority that fits."""
_SHA256_DIGITS: Final = 64
# X509_V_ERR_… of OpenSSL: name or address not in the certificate; not yet valid or past its end
_OTHER_NAME: Final = frozenset({62, 64})
_OTHER_TIME: Final = frozenset({9, 10})


class EnrolmentError(Exception):
    """No identity was given. The text is one line: place, cause; next step."""


def fingerprint(system: System) -> dict[str, str]:
    """Hardware values by which a wiped machine is recognised; empty where none can be read."""
    from hatang_agent.probes import hardware

    try:
        return hardware.fingerprint(system)
    except PermissionError:  # an ordinary user may not read serial numbers
        return {}


def request(system: System, token: str, label: str, asset_code: str, staff_group: str = "") -> EnrolRequest:
    """What is sent to the collector."""
    return EnrolRequest(token, __version__, label, asset_code, fingerprint(system), staff_group)


def checked_pin(pin: str) -> str:
    """The pin in one spelling: small hex digits without separators. Raises EnrolmentError."""
    digits = re.sub(r"[\s:]", "", pin).lower()
    if not re.fullmatch(f"[0-9a-f]{{{MIN_PIN},{_SHA256_DIGITS}}}", digits):
        raise EnrolmentError(
            f"--pin {pin[:80]!r}: not {MIN_PIN} to {_SHA256_DIGITS} hex digits; copy the collector's line "
            "again, whole"
        )
    return digits


def checked_url(url: str) -> str:
    """The collector's address without a path. Raises EnrolmentError for what must not carry a secret."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url.rstrip("/"))
        _ = parts.port
    except ValueError as error:
        raise EnrolmentError(f"{url}: not an address ({error}); write https://host:port") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise EnrolmentError(f"{url}: not an address of a collector; write https://host:port")
    if parts.path or parts.query or parts.fragment:
        raise EnrolmentError(
            f"{url}: give the address alone, without a path: {parts.scheme}://{parts.netloc}"
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise EnrolmentError(
            f"{url}: plain http would show the machine's secret to the network; use https://, with --ca FILE "
            "for an authority of your own"
        )
    return f"{parts.scheme}://{parts.netloc}"


def enrol(
    url: str, wanted: EnrolRequest, ca_file: Path | None = None, pin: str = ""
) -> tuple[EnrolReply, Credential]:
    """Send the request and build the credential from the reply. Raises EnrolmentError."""
    address = checked_url(url)
    trusted: ssl.SSLContext | None = None
    if pin:
        if address.startswith("http:"):
            raise EnrolmentError(f"{address}: a pin is for https; copy the collector's line again, whole")
        trusted = _trusting(authority(address, checked_pin(pin)))
    elif address.startswith("https:"):
        trusted = _trusting_file(ca_file)
    body = codec.canonical(codec.plain(wanted))
    answer = _ask(address, trusted, ROUTE, body, pinned=bool(pin))
    try:
        reply = codec.decode_small(EnrolReply, answer)
    except codec.WireError as error:
        raise EnrolmentError(
            f"{address}: the answer is not one of a collector ({error}); check the address"
        ) from error
    given = Credential(reply.agent, reply.secret, reply.role, reply.brokers, reply.ca_pem, address)
    return reply, given


def authority(address: str, pin: str) -> bytes:
    """The certificate (DER) of the collector's authority, fetched unverified and held against the pin.

    ``pin`` is as :func:`checked_pin` gives it. Raises EnrolmentError; the one for a pin that does not
    fit means a typing error, or that somebody is between this machine and the collector.
    """
    import ssl

    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE  # whatever comes is held against the pin, and only then trusted
    answer = _ask(address, blind, CA_ROUTE)
    try:
        der = ssl.PEM_cert_to_DER_cert(answer.decode("ascii").strip())
    except ValueError as error:
        raise EnrolmentError(
            f"{address}: {CA_ROUTE} is not a certificate; check the address, it is that of the enrolment port"
        ) from error
    found = hashlib.sha256(der).hexdigest()
    if not found.startswith(pin):
        raise EnrolmentError(
            f"{address}: its authority has the pin {found[: len(pin)]}, not {pin}; nothing was sent; copy "
            "the collector's line again, and if it stays so, somebody is between this machine and it"
        )
    return der


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _trusting(der: bytes) -> ssl.SSLContext:
    import ssl

    return ssl.create_default_context(cadata=der)


def _trusting_file(ca_file: Path | None) -> ssl.SSLContext:
    """Trusts the authorities in a file, without one those of the system. Raises EnrolmentError."""
    import ssl

    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise EnrolmentError(f"{ca_file}: not a certificate in PEM form ({error}); check --ca") from error


def _ask(
    address: str,
    context: ssl.SSLContext | None,
    route: str,
    body: bytes | None = None,
    *,
    pinned: bool = False,
) -> bytes:
    """The answer to one request, POST when there is a body; ``context`` None is for loopback."""
    import urllib.error
    import urllib.request

    headers = {"Content-Type": "application/json"} if body is not None else {}
    asked = urllib.request.Request(address + route, data=body, headers=headers)  # noqa: S310 - checked_url
    try:
        with _opener(context).open(asked, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(codec.MAX_SMALL + 1)
            return content
    except urllib.error.HTTPError as error:
        with error:
            raise EnrolmentError(f"{address}: {_told(error.code, error.read(codec.MAX_SMALL))}") from error
    except urllib.error.URLError as error:
        raise EnrolmentError(f"{address}: {_unreachable(error.reason, pinned)}") from error
    except (OSError, ValueError, HTTPException) as error:
        raise EnrolmentError(f"{address}: {_unreachable(error, pinned)}") from error


def _opener(context: ssl.SSLContext | None) -> urllib.request.OpenerDirector:
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        """The token goes to the address a person typed and nowhere else."""

        def redirect_request(self, *_: Any) -> None:
            return None

    handlers: list[urllib.request.BaseHandler] = [NoRedirect()]
    if context is None:
        handlers.append(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy
    else:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _unreachable(cause: object, pinned: bool) -> str:
    import ssl

    if not isinstance(cause, ssl.SSLCertVerificationError):
        return f"cannot be reached ({cause}); check the address, and that the collector runs"
    why = f"its certificate is not trusted ({cause.verify_message})"
    if cause.verify_code in _OTHER_NAME:
        return (
            f"{why}; use an address that is in it, or have this one added to [broker] names of the collector"
        )
    if cause.verify_code in _OTHER_TIME:
        return f"{why}; is the clock of this machine right?"
    if pinned:
        return (
            f"{why}: it is not of the authority with this pin, somebody may be in between; nothing was sent"
        )
    return f"{why}; give its authority with --ca FILE, or use the collector's line with --pin"


def _told(status: int, body: bytes) -> str:
    """The collector's own reason and hint, on one line."""
    try:
        values = json.loads(body)
    except ValueError:
        values = None
    found = values if isinstance(values, dict) else {}
    reason = next(
        (found[key] for key in ("error", "detail", "reason") if isinstance(found.get(key), str)), ""
    )
    hint = found["hint"] if isinstance(found.get("hint"), str) else ""
    text = "; ".join(part for part in (reason or f"refused (HTTP {status})", hint) if part)
    return " ".join(text.split())[:500]
