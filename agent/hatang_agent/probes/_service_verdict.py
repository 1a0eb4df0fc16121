"""What the answer of a shared program means: reached or not, where it failed, in which words. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urljoin, urlsplit

from hatang_agent.net import targets
from hatang_agent.net.answer import Answer, Outcome
from hatang_agent.net.targets import Method, Target

DAY_MS: Final = 86_400_000
MAX_HOW: Final = 200
NO_TIME: Final = "no time was left"
CERTIFICATE: Final = "certificate: "
"""How the detail of an answer begins whose certificate is not believed."""
_THERE: Final = frozenset({401, 403, 405, 406, 429})
"""Statuses below which a program works: it asks who is there, or does not like how it was asked."""
_SERVER_ERRORS: Final = 500


class Reached(StrEnum):
    """Whether people can use the program from here; ``not_tested`` says that nothing was learned."""

    YES = "yes"
    NO = "no"
    NOT_TESTED = "not_tested"


class Step(StrEnum):
    """Where a question ended that did not come through."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    ICMP = "icmp"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One program by one path. ``time_ms`` is all that was waited for, None when it did not answer."""

    reached: Reached
    how: str
    step: Step | None = None
    status: int | None = None
    tls_days_left: int | None = None
    time_ms: float | None = None


def not_tested(why: str) -> Verdict:
    """Nothing was asked, and why."""
    return Verdict(Reached.NOT_TESTED, why[:MAX_HOW])


def no_name(target: Target) -> Verdict:
    """The program's name has no address: the very first step."""
    return _failed(target, Step.DNS, "the name has no address")


def _failed(target: Target, step: Step, why: str) -> Verdict:
    return Verdict(Reached.NO, f"{target.where}: {why}"[:MAX_HOW], step)


_STEPS: Final = {
    Outcome.NO_NAME: Step.DNS,
    Outcome.REFUSED: Step.TCP,
    Outcome.UNREACHABLE: Step.TCP,
    Outcome.TIMEOUT: Step.TCP,
    Outcome.BAD_TLS: Step.TLS,
    Outcome.NOT_HTTP: Step.HTTP,
}


def judge(target: Target, answer: Answer, now_ms: int) -> Verdict:
    """What an answer means, at an instant in UTC by which certificates are dated."""
    days = None if answer.expires_ms is None else (answer.expires_ms - now_ms) // DAY_MS
    if answer.outcome is Outcome.NOT_SENT:
        return not_tested(f"{target.where}: {answer.detail}")
    if answer.outcome is not Outcome.ANSWERED:
        step = Step.DNS if target.method is Method.DNS else _STEPS[answer.outcome]
        return replace(_failed(target, step, _words(answer.detail)), tls_days_left=days)
    if target.method is Method.DNS and not answer.addresses:
        return _failed(target, Step.DNS, answer.detail or "the name has no address")
    verdict = Verdict(Reached.YES, target.where[:MAX_HOW], None, answer.status, days, answer.total_ms)
    if answer.status is None or works(answer.status):
        return verdict
    how = f"{target.where}: {_status_words(answer.status)}"[:MAX_HOW]
    return replace(verdict, reached=Reached.NO, how=how, step=Step.HTTP)


def works(status: int) -> bool:
    """Whether a page with this status is one that people can go on from."""
    return 100 <= status < 400 or status in _THERE


def _status_words(status: int) -> str:
    return "the program is out of order" if status >= _SERVER_ERRORS else "there is no such page"


def _words(detail: str) -> str:
    """The verifier's long sentences as short words; they name neither hosts nor dates."""
    if not detail.startswith(CERTIFICATE):
        return detail.removeprefix("TLS: ").removeprefix("HTTP: ")
    said = detail.removeprefix(CERTIFICATE).lower()
    for part, words in _CERTIFICATES.items():
        if part in said:
            return f"certificate {words}"
    return f"certificate not believed ({said})"


_CERTIFICATES: Final = {
    "mismatch": "is for another name",
    "has expired": "has expired",
    "not yet valid": "is not valid yet",
    "in certificate chain": "is of an unknown authority",
    "self-signed": "is self-signed",
    "self signed": "is self-signed",
    "issuer certificate": "is of an unknown authority",
    "verify the first certificate": "is of an unknown authority",
}


def followed(target: Target, location: str) -> Target | None:
    """The target that a redirect leads to when it is on the same host, else None."""
    if not location:
        return None
    base = f"{'https' if target.secure else 'http'}://{_bracketed(target.host)}:{target.port}{target.path}"
    try:
        there = urljoin(base, location)
        host = urlsplit(there).hostname or ""
        moved = targets.make(target.label, Method.HTTP, there)
    except ValueError:
        return None
    return moved if host.rstrip(".").lower() == target.host.rstrip(".").lower() else None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
