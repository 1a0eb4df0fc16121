"""Asking a collector for an identity: one HTTP request with a token. No retries, no redirects."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hatang_agent import __version__
from hatang_agent.identity import Credential
from hatang_agent.system import System
from hatang_agent.wire import codec
from hatang_agent.wire.messages import EnrolReply, EnrolRequest

if TYPE_CHECKING:
    import urllib.request

ROUTE: Final = "/api/v1/enrol"
TIMEOUT_S: Final = 30.0


class EnrolmentError(Exception):
    """No identity was given. The text is one line: place, cause; next step."""


def fingerprint(system: System) -> dict[str, str]:
    """Hardware values by which a wiped machine is recognised; empty where none can be read."""
    from hatang_agent.probes import hardware

    try:
        return hardware.fingerprint(system)
    except PermissionError:  # an ordinary user may not read serial numbers
        return {}


def request(system: System, token: str, label: str, asset_code: str) -> EnrolRequest:
    """What is sent to the collector."""
    return EnrolRequest(token, __version__, label, asset_code, fingerprint(system))


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


def enrol(url: str, wanted: EnrolRequest, ca_file: Path | None = None) -> tuple[EnrolReply, Credential]:
    """Send the request and build the credential from the reply. Raises EnrolmentError."""
    address = checked_url(url)
    body = codec.canonical(codec.plain(wanted))
    answer = _post(address, body, ca_file)
    try:
        reply = codec.decode_small(EnrolReply, answer)
    except codec.WireError as error:
        raise EnrolmentError(
            f"{address}: the answer is not one of a collector ({error}); check the address"
        ) from error
    given = Credential(reply.agent, reply.secret, reply.role, reply.brokers, reply.ca_pem, address)
    return reply, given


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _post(address: str, body: bytes, ca_file: Path | None) -> bytes:
    import urllib.error
    import urllib.request

    wanted = urllib.request.Request(  # noqa: S310 - checked_url lets http and https pass only
        address + ROUTE, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with _opener(address, ca_file).open(wanted, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(codec.MAX_SMALL + 1)
            return content
    except urllib.error.HTTPError as error:
        with error:
            raise EnrolmentError(f"{address}: {_told(error.code, error.read(codec.MAX_SMALL))}") from error
    except urllib.error.URLError as error:
        raise EnrolmentError(f"{address}: {_unreachable(error.reason)}") from error
    except (OSError, ValueError) as error:
        raise EnrolmentError(f"{address}: {_unreachable(error)}") from error


def _opener(address: str, ca_file: Path | None) -> urllib.request.OpenerDirector:
    import ssl
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        """The token goes to the address a person typed and nowhere else."""

        def redirect_request(self, *_: Any) -> None:
            return None

    handlers: list[urllib.request.BaseHandler] = [NoRedirect()]
    if address.startswith("http:"):
        handlers.append(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy
    else:
        try:
            context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError as error:
            raise EnrolmentError(f"{ca_file}: not a certificate in PEM form ({error}); check --ca") from error
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _unreachable(cause: object) -> str:
    import ssl

    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message}); give its authority with --ca FILE"
    return f"cannot be reached ({cause}); check the address, and that the collector runs"


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
