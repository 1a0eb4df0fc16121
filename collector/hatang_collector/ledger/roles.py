"""What a person or a program may do, and who it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Rights, each with those before it: look; inspect and declare; change anything."""

    VIEWER = "viewer"
    INSPECTOR = "inspector"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is logged in, or an API token by its name. ``must_change``: the password, first of all."""

    name: str
    role: Role
    must_change: bool = False
