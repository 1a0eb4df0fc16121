"""What the pages of administrators share: who may give rights, and the note of each act."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from fastapi import Request

from hatang_collector.ledger import audit
from hatang_collector.ledger.engine import Connection
from hatang_collector.ledger.users import Role, User
from hatang_collector.web.problems import Refusal
from hatang_collector.web.security import Needs, bearer


class NeedsPerson(Needs):
    """A dependency: a person with this role who logged in. An API token may not hand out rights."""

    __slots__ = ()

    def __call__(self, request: Request) -> User:
        """Give the person, or raise Refusal: 401 for nobody, 403 for too little and for tokens."""
        user = super().__call__(request)
        if bearer(request) is not None:
            raise Refusal(
                HTTPStatus.FORBIDDEN, "an API token may not do this", "log in at /login", page="forbidden"
            )
        return user


ADMIN: Final = Needs(Role.ADMIN)
ADMIN_PERSON: Final = NeedsPerson(Role.ADMIN)

Old = str | int | None
Changed = str | int | tuple[Old, Old]
"""A value as it is now, or (old, new)."""


def note(c: Connection, user: User, action: str, subject: str, now_ms: int, **fields: Changed) -> None:
    """Note an act in the audit log, with its fields; never a secret among them."""
    detail = json.dumps(fields, ensure_ascii=False) if fields else ""
    audit.append(
        c, who=user.name, role=user.role, action=action, subject=subject, now_ms=now_ms, detail=detail
    )
