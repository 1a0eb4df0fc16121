"""Who logs in on the paths to the brokers and what happens there, as data; nothing here knows MQTT."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in and says so in births and wills."""

    agent: str
    epoch: str
    password: str
    role: str
    version: str
    ca_pem: str = ""


class Receipt(StrEnum):
    """What the broker answered for a report (reason code of PUBACK, MQTT 5 section 3.4.2.1)."""

    TAKEN = "taken"
    NO_SUBSCRIBERS = "no_subscribers"
    REFUSED = "refused"


class Kind(StrEnum):
    """What a received message is."""

    ACK = "ack"
    CONFIG = "config"
    HELLO = "hello"


@dataclass(frozen=True, slots=True)
class Connected:
    """A path came up."""

    path: str
    connection: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A path went down."""

    path: str
    connection: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker's answer for one message; ``digest_of`` of the publisher knows which report it was."""

    path: str
    connection: int
    mid: int
    receipt: Receipt
    detail: str


@dataclass(frozen=True, slots=True)
class Received:
    """A message for this agent."""

    kind: Kind
    payload: bytes


@dataclass(frozen=True, slots=True)
class LoginTrial:
    """``refused`` is empty when the login worked; ``hello``: a collector announces itself there."""

    refused: str
    hello: bool


Event = Connected | Disconnected | Answered | Received
