"""Enrolment: a token and a fingerprint become an identity with a secret and a broker account.

Order, so that a crash at any point leaves nothing to clean up by hand: the broker account first,
then everything else in one ledger transaction, then the reply. An account without a machine in the
ledger is deleted by the next reconciliation, and the token is still unused.
"""

from __future__ import annotations

import base64
import logging
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from hatang_agent.wire.messages import BrokerAddress, EnrolReply, EnrolRequest
from hatang_collector.broker.accounts import Accounts
from hatang_collector.broker.configs import ConfigPublisher, as_json
from hatang_collector.broker.contract import BrokerUnavailable
from hatang_collector.broker.hardware import Known, Match, recognise
from hatang_collector.broker.vault import Vault
from hatang_collector.domain.estate import Placement, StaffGroup
from hatang_collector.domain.folding import folded
from hatang_collector.ledger import (
    config_numbers,
    credentials,
    estate,
    findings,
    machines,
    placements,
    tokens,
)
from hatang_collector.ledger.engine import Connection, Ledger
from hatang_collector.ledger.errors import LedgerError

log = logging.getLogger(__name__)

MAX_LABEL: Final = 100
MAX_ASSET_CODE: Final = 64
MAX_VERSION: Final = 64
MAX_STAFF_GROUP: Final = 100
MAX_VALUES: Final = 64
MAX_VALUE: Final = 128
BY_ENROLMENT: Final = "enrolment"
SAME_HARDWARE: Final = "same_hardware"
RE_ENROLLED: Final = "re_enrolled"


class EnrolRefusal(StrEnum):
    """Why there is no identity; for programs."""

    TOKEN_UNKNOWN = "token_unknown"  # noqa: S105 - a reason
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a reason
    TOKEN_USED_UP = "token_used_up"  # noqa: S105 - a reason
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a reason
    BAD_LABEL = "bad_label"
    BAD_ASSET_CODE = "bad_asset_code"
    BAD_VERSION = "bad_version"
    BAD_FINGERPRINT = "bad_fingerprint"
    UNKNOWN_STAFF_GROUP = "unknown_staff_group"
    BROKER_UNAVAILABLE = "broker_unavailable"


_TOKEN_HINTS: Final[Mapping[tokens.TokenRefusal, tuple[EnrolRefusal, str]]] = {
    tokens.TokenRefusal.UNKNOWN: (
        EnrolRefusal.TOKEN_UNKNOWN,
        "this enrolment token is not known; copy it again, whole",
    ),
    tokens.TokenRefusal.EXPIRED: (
        EnrolRefusal.TOKEN_EXPIRED,
        "this enrolment token has expired; ask the administrator for a new one",
    ),
    tokens.TokenRefusal.USED_UP: (
        EnrolRefusal.TOKEN_USED_UP,
        "this enrolment token is used up; ask the administrator for a new one",
    ),
    tokens.TokenRefusal.REVOKED: (
        EnrolRefusal.TOKEN_REVOKED,
        "this enrolment token was revoked; ask the administrator for a new one",
    ),
}


class EnrolRefused(Exception):  # noqa: N818 - a refusal is an answer
    """No identity is given. ``reason`` is for programs, ``hint`` is one line for a person."""

    def __init__(self, reason: EnrolRefusal, hint: str) -> None:
        super().__init__(hint)
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Offer:
    """What an enrolled agent is told about the way to us."""

    brokers: tuple[BrokerAddress, ...]
    ca_pem: str


class Enroller:
    """Gives identities. Thread-safe; one enrolment at a time.

    ``offer()`` tells the brokers of the moment, ``live(agent)`` whether an identity is in use now,
    ``first_config(role, placement)`` the content of a new agent's configuration.
    """

    def __init__(
        self,
        ledger: Ledger,
        accounts: Accounts,
        configs: ConfigPublisher,
        vault: Vault,
        *,
        offer: Callable[[], Offer],
        live: Callable[[str], bool],
        first_config: Callable[[str, Placement], Mapping[str, Any]] = lambda _role, _placement: {},
    ) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._configs = configs
        self._vault = vault
        self._offer = offer
        self._live = live
        self._first_config = first_config

    def enrol(self, request: EnrolRequest, now_ms: int) -> EnrolReply:
        """An identity that can connect at once. Raises EnrolRefused, LedgerError.

        Hardware that is known gets its old identity back, with a new secret and without using up the
        token, when :func:`.hardware.recognise` has no doubt.
        """
        request = checked(request)
        with self._accounts.changing:
            match = self._decide(request, now_ms)
            request = self._grouped(request)
            recovered = match is not None and match.doubt is None
            agent = match.agent if match is not None and recovered else new_agent_id()
            secret = secrets.token_hex(32)
            sealed = self._vault.seal(agent, secret)
            try:
                self._accounts.grant(agent, secret)
            except BrokerUnavailable as error:
                log.warning("an enrolment had to wait: %s", error)
                raise EnrolRefused(
                    EnrolRefusal.BROKER_UNAVAILABLE, "the broker does not answer; try again in a minute"
                ) from error
            try:
                with self._ledger.write() as c:
                    if recovered:
                        role = self._give_back(c, agent, request, now_ms)
                    else:
                        role = self._add(c, agent, match, request, now_ms)
                    credentials.put(c, agent, sealed, now_ms)
                    machines.put_fingerprint(c, agent, request.fingerprint, now_ms)
            except BaseException:
                self._take_back()
                raise
        log.info("enrolled %s as %s%s", agent, role, ", recovered" if recovered else "")
        self._publish_config(agent)
        offer = self._offer()
        return EnrolReply(agent, secret, role, offer.brokers, offer.ca_pem, recovered=recovered)

    def retire(self, agent: str, now_ms: int) -> None:
        """A machine is gone: it cannot connect any more. Its history stays. Raises LedgerError."""
        with self._accounts.changing:
            with self._ledger.write() as c:
                machines.retire(c, agent, now_ms)
            try:
                self._accounts.revoke(agent)
                self._configs.clear(agent)
            except BrokerUnavailable as error:
                log.warning("%s is retired and will be shut out once the broker answers: %s", agent, error)

    def _decide(self, request: EnrolRequest, now_ms: int) -> Match | None:
        """The machine this may be. Raises EnrolRefused when the token gives no right to what follows."""
        with self._ledger.read() as c:
            token = tokens.peek(c, request.token, now_ms)
            known = _known(c) if request.fingerprint else []
        if isinstance(token, tokens.EnrolToken):
            return recognise(request.fingerprint, known, token.role, self._live)
        if token is tokens.TokenRefusal.USED_UP:
            match = recognise(request.fingerprint, known, None, self._live)
            if match is not None and match.doubt is None:
                return match
        raise _refused(token)

    def _grouped(self, request: EnrolRequest) -> EnrolRequest:
        """The request with the code of its staff group. Asked after the token: others learn nothing of us."""
        if not request.staff_group:
            return request
        with self._ledger.read() as c:
            groups = estate.load(c).staff_groups
        return replace(request, staff_group=staff_group_of(request.staff_group, groups))

    def _add(self, c: Connection, agent: str, match: Match | None, request: EnrolRequest, now_ms: int) -> str:
        token = tokens.claim(c, request.token, now_ms)
        if isinstance(token, tokens.TokenRefusal):
            raise _refused(token)
        group = request.staff_group or token.staff_group
        placement = Placement(agent, now_ms, token.unit, token.site, group, BY_ENROLMENT)
        machines.add(c, machines.Machine(agent, request.label, request.asset_code, token.role, now_ms))
        if match is not None:
            detail = (
                f"{match.values} hardware values are those of {match.agent}; not given back: {match.doubt}"
            )
            findings.open_finding(c, SAME_HARDWARE, agent, match.agent, now_ms, detail)
        placements.put(c, placement)
        config_numbers.next_number(c, agent, as_json(self._first_config(token.role, placement)))
        return token.role

    def _give_back(self, c: Connection, agent: str, request: EnrolRequest, now_ms: int) -> str:
        token = tokens.peek(c, request.token, now_ms)
        if isinstance(token, tokens.TokenRefusal) and token is not tokens.TokenRefusal.USED_UP:
            raise _refused(token)
        machine = machines.change(
            c, agent, label=request.label or None, asset_code=request.asset_code or None
        )
        if machine is None or machine.retired_ms is not None:
            raise EnrolRefused(EnrolRefusal.TOKEN_USED_UP, "the machine was retired just now; try again")
        # where it was placed it stays: a wiped machine has not moved, and people may have placed it since
        placement = placements.of(c, agent) or Placement(agent, now_ms)
        stored = config_numbers.current(c, agent)
        # a higher number under the new key: what was signed for the old secret is worth nothing
        config_numbers.next_number(
            c, agent, stored[1] if stored else as_json(self._first_config(machine.role, placement))
        )
        detail = f"recognised by its hardware; enrolled again as {machine.label or agent}"
        findings.open_finding(c, RE_ENROLLED, agent, str(now_ms), now_ms, detail)
        return machine.role

    def _take_back(self) -> None:
        """Make the broker equal to the ledger, which did not take the enrolment."""
        try:
            self._accounts.reconcile()
        except (BrokerUnavailable, LedgerError) as error:
            log.warning("an account of a failed enrolment stays until the broker's next start: %s", error)

    def _publish_config(self, agent: str) -> None:
        try:
            self._configs.publish(agent)
        except BrokerUnavailable as error:
            log.warning("the configuration of %s follows at the next connection: %s", agent, error)


def new_agent_id() -> str:
    """80 random bits as 16 letters and digits (base32 of RFC 4648, small)."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def checked(request: EnrolRequest) -> EnrolRequest:
    """The request with its texts in Unicode NFC, trimmed and within limits. Raises EnrolRefused."""
    label = _text(request.label, MAX_LABEL, EnrolRefusal.BAD_LABEL, "label")
    asset_code = _text(request.asset_code, MAX_ASSET_CODE, EnrolRefusal.BAD_ASSET_CODE, "asset code")
    version = _text(request.version, MAX_VERSION, EnrolRefusal.BAD_VERSION, "version")
    if len(request.fingerprint) > MAX_VALUES:
        raise EnrolRefused(EnrolRefusal.BAD_FINGERPRINT, f"at most {MAX_VALUES} hardware values are taken")
    fingerprint = {
        _text(name, MAX_VALUE, EnrolRefusal.BAD_FINGERPRINT, "name of a hardware value"): _text(
            value, MAX_VALUE, EnrolRefusal.BAD_FINGERPRINT, "hardware value"
        )
        for name, value in request.fingerprint.items()
    }
    group = _text(request.staff_group, MAX_STAFF_GROUP, EnrolRefusal.UNKNOWN_STAFF_GROUP, "staff group")
    return EnrolRequest(request.token.strip(), version, label, asset_code, fingerprint, group)


def staff_group_of(text: str, groups: Sequence[StaffGroup]) -> str:
    """The code of the group that a person means: its code, or code or name in any spelling; '' stays ''.

    Raises EnrolRefused with the groups there are.
    """
    if not text or any(group.code == text for group in groups):
        return text
    meant = {group.code for group in groups if folded(text) in (folded(group.code), folded(group.name))}
    if len(meant) == 1:
        return meant.pop()
    shown = sorted(groups, key=lambda group: (group.position, group.code))
    known = ", ".join(f"{group.code} ({group.name})" for group in shown)
    hint = f"there is no staff group {text!r}; known are {known or 'none'}"
    raise EnrolRefused(EnrolRefusal.UNKNOWN_STAFF_GROUP, hint)


def _text(value: str, limit: int, reason: EnrolRefusal, what: str) -> str:
    text = unicodedata.normalize("NFC", value).strip()
    if len(text) > limit:
        raise EnrolRefused(reason, f"the {what} is {len(text)} characters long, at most {limit} are taken")
    if not text.isprintable():
        raise EnrolRefused(reason, f"the {what} contains characters that cannot be printed; remove them")
    return text


def _known(c: Connection) -> list[Known]:
    values = machines.fingerprints(c)
    return [
        Known(
            machine.agent,
            machine.role,
            machine.retired_ms is not None,
            machine.enrolled_ms,
            values[machine.agent],
        )
        for machine in machines.every(c)
        if machine.agent in values
    ]


def _refused(refusal: tokens.TokenRefusal) -> EnrolRefused:
    return EnrolRefused(*_TOKEN_HINTS[refusal])
