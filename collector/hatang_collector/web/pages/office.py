"""Adding an office: the form, and the page with its tokens and what has arrived."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from hatang_collector.domain.checks import EstateRefused
from hatang_collector.domain.dated import on
from hatang_collector.domain.folding import bare
from hatang_collector.domain.tree import vietnamese_order
from hatang_collector.ledger.users import User
from hatang_collector.offices import add as offices
from hatang_collector.offices import form
from hatang_collector.offices.add import OfficeRefused
from hatang_collector.offices.faults import Fault, Faults
from hatang_collector.offices.request import MAX_LINKS, OfficeRequest
from hatang_collector.web import i18n, office_parts
from hatang_collector.web.acts import ADMIN, ADMIN_PERSON
from hatang_collector.web.estate import estate_of
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import services_of

router = APIRouter(prefix="/offices", include_in_schema=False)


def _form(
    request: Request,
    user: User,
    fields: Mapping[str, str],
    faults: Faults,
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    now = estate_of(request)
    units = sorted(on(now.estate.units, now.today), key=lambda unit: vietnamese_order(unit.name))
    values = {
        **office_parts.form_values(now, fields, faults, i18n.texts(language_of(request))),
        "units": [(form.option(unit), bare(unit.name), unit.name) for unit in units],
        "rows": range(1, MAX_LINKS + 1),
        "longest_code": form.MAX_CODE,
        "longest": form.MAX_TEXT,
        "most_machines": form.MAX_MACHINES,
        "most_days": form.MAX_DAYS,
    }
    return page(request, "office.html", user, values, status)


@router.get("/new")
def new_office(request: Request, user: Annotated[User, Depends(ADMIN)]) -> HTMLResponse:
    """The form, with everything proposed that can be."""
    return _form(request, user, form.defaults(estate_of(request).estate), {})


@router.post("/new")
def add_office(
    request: Request,
    user: Annotated[User, Depends(ADMIN_PERSON)],
    fields: Annotated[dict[str, str], Depends(office_parts.typed)],
) -> HTMLResponse:
    """Add it and show its tokens this once, or the form again with what is wrong."""
    services, now = services_of(request), estate_of(request)
    wanted = form.read_office(fields, now.estate, now.today)
    if not isinstance(wanted, OfficeRequest):
        return _form(request, user, fields, wanted, HTTPStatus.BAD_REQUEST)
    try:
        added = offices.add(services.ledger, wanted, who=user.name, role=user.role, now_ms=services.now_ms())
    except OfficeRefused as refused:
        return _form(request, user, fields, refused.faults, HTTPStatus.CONFLICT)
    except EstateRefused as refused:
        faults = {"": Fault("estate", {"cause": refused.problems[0]})}
        return _form(request, user, fields, faults, HTTPStatus.CONFLICT)
    services.poke()
    return office_parts.show_tokens(request, user, estate_of(request), added, new=True)
