"""The page of the enrolment tokens: make one, see what became of each, take the right away."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_collector.domain.estate import Placement
from hatang_collector.domain.folding import official
from hatang_collector.enrol_lines import Lines, lines_to_run
from hatang_collector.ledger import audit, tokens
from hatang_collector.ledger.tokens import EnrolToken
from hatang_collector.ledger.users import User
from hatang_collector.web import i18n, places
from hatang_collector.web.acts import ADMIN, ADMIN_PERSON, note
from hatang_collector.web.estate import estate_of
from hatang_collector.web.log_words import person_words
from hatang_collector.web.problems import Refusal
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import services_of

router = APIRouter(prefix="/tokens", include_in_schema=False)

DAY_MS: Final = 86_400_000
MOST_USES: Final = 100_000
MOST_DAYS: Final = 3_650
MOST_NOTE: Final = 200
ROLES: Final = ("pc", "probe")
USABLE: Final = "usable"

Code = Annotated[str, Form(max_length=200)]


@dataclass(frozen=True, slots=True)
class Shown:
    """A token in the list: ``place`` in words, ``by`` is who made it, empty when nobody knows."""

    token: EnrolToken
    state: str
    place: places.Stay
    by: str


@dataclass(frozen=True, slots=True)
class New:
    """A token just made, with its secret: shown on one answer and never again."""

    text: str
    role: str
    uses: int
    expires_ms: int
    lines: Lines


@dataclass(frozen=True, slots=True)
class Wish:
    """The form: a token for machines of a role at a place, so many times, so many days."""

    role: str = "pc"
    uses: int = 1
    days: int = 7
    note: str = ""
    unit: str = ""
    site: str = ""
    staff_group: str = ""


def _wish(
    role: Annotated[Literal["pc", "probe"], Form()] = "pc",
    uses: Annotated[int, Form(ge=1, le=MOST_USES)] = 1,
    days: Annotated[int, Form(ge=1, le=MOST_DAYS)] = 7,
    note: Annotated[str, Form(max_length=MOST_NOTE)] = "",
    unit: Code = "",
    site: Code = "",
    staff_group: Code = "",
) -> Wish:
    return Wish(role, uses, days, official(note), unit, site, staff_group)


def _show(
    request: Request,
    user: User,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    wish: Wish | None = None,
    new: New | None = None,
    refusal: str = "",
) -> HTMLResponse:
    services, now = services_of(request), estate_of(request)
    now_ms, t = services.now_ms(), i18n.texts(language_of(request))
    with services.ledger.read() as c:
        found = tokens.every(c)
        made = audit.of_subjects(c, "token.create", [one.id for one in found])
    values = {
        "rows": [
            Shown(
                one,
                str(one.refusal(now_ms) or USABLE),
                places.stay(now.estate, now.tree, _place(one), now.today),
                person_words(made[one.id].who, t) if one.id in made else "",
            )
            for one in found
        ],
        "options": places.options(now),
        "at": wish or Wish(),
        "roles": ROLES,
        "most_uses": MOST_USES,
        "most_days": MOST_DAYS,
        "most_note": MOST_NOTE,
        "new": new,
        "refusal": refusal,
    }
    return page(request, "tokens.html", user, values, status)


def _place(token: EnrolToken) -> Placement:
    return Placement("", token.created_ms, token.unit, token.site, token.staff_group)


@router.get("")
def list_of_tokens(request: Request, user: Annotated[User, Depends(ADMIN)]) -> HTMLResponse:
    """Every token, without its secret."""
    return _show(request, user)


@router.post("")
def create(
    request: Request, user: Annotated[User, Depends(ADMIN_PERSON)], wish: Annotated[Wish, Depends(_wish)]
) -> Response:
    """Make a token; its text and the lines to run are shown this once."""
    refusal = places.refusal(estate_of(request), wish.unit, wish.site, wish.staff_group)
    if refusal:
        return _show(request, user, HTTPStatus.BAD_REQUEST, wish=wish, refusal=refusal)
    services = services_of(request)
    now_ms = services.now_ms()
    expires_ms = now_ms + wish.days * DAY_MS
    place = {"unit": wish.unit, "site": wish.site, "staff_group": wish.staff_group}
    with services.ledger.write() as c:
        text = tokens.create(
            c, role=wish.role, uses=wish.uses, expires_ms=expires_ms, now_ms=now_ms, note=wish.note, **place
        )
        given = {name: value for name, value in {**place, "note": wish.note}.items() if value}
        public = text.partition("-")[0]
        note(c, user, "token.create", public, now_ms, role=wish.role, uses=wish.uses, days=wish.days, **given)
    offer = services.enrol_offer()
    new = New(text, wish.role, wish.uses, expires_ms, lines_to_run(offer.url, text, offer.pin, wish.role))
    return _show(request, user, HTTPStatus.CREATED, new=new)


@router.post("/revoke")
def revoke(
    request: Request,
    user: Annotated[User, Depends(ADMIN_PERSON)],
    token: Annotated[str, Form(alias="id", max_length=20)] = "",
) -> Response:
    """No machine may use the token any more; those that are enrolled stay."""
    services = services_of(request)
    now_ms = services.now_ms()
    with services.ledger.write() as c:
        before = next((one for one in tokens.every(c) if one.id == token), None)
        if before is None:
            step = "reload the page: the list may have changed"
            raise Refusal(HTTPStatus.NOT_FOUND, "no enrolment token has this id", step, "unknown_enrolment")
        if before.revoked_ms is None:
            tokens.revoke(c, token, now_ms)
            note(c, user, "token.revoke", token, now_ms, used=before.used)
    return RedirectResponse("/tokens", HTTPStatus.SEE_OTHER)
