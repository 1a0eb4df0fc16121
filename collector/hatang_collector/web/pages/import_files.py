"""Uploading filled-in files: first what they would change, in words, then the yes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_collector.domain.estate import Estate
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.users import User
from hatang_collector.sheets import words
from hatang_collector.sheets.files import Source
from hatang_collector.sheets.lines import read_lines
from hatang_collector.sheets.plan import Plan, read_files
from hatang_collector.sheets.plan import plan as plan_of
from hatang_collector.web.acts import ADMIN
from hatang_collector.web.estate import estate_of
from hatang_collector.web.guard import MAX_UPLOAD
from hatang_collector.web.held_files import Held, HeldFiles
from hatang_collector.web.problems import Refusal
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import services_of

router = APIRouter(prefix="/registers", include_in_schema=False)

MOST_SHOWN: Final = 200
MOST_FILES: Final = 12
MEGABYTE: Final = 1024 * 1024


class _Changed(Exception):  # noqa: N818 - undoes the transaction
    """The files would no longer change what the preview said."""


def _held(request: Request) -> HeldFiles:
    held: HeldFiles = request.app.state.held_files
    return held


@router.get("/import")
def import_form(
    request: Request,
    user: Annotated[User, Depends(ADMIN)],
    too_large: Annotated[bool, Query()] = False,
) -> HTMLResponse:
    """The form; ``too_large``: what was sent just now was not even read."""
    return _page(request, user, {"too_large": too_large})


@router.post("/import")
async def preview(request: Request, user: Annotated[User, Depends(ADMIN)]) -> Response:
    """What the files would change, and everything that is wrong in them. Nothing is written."""
    # Read here and not as a parameter: what nobody may send is not taken in.
    async with request.form(max_files=MOST_FILES) as form:
        sources = [
            Source(one.filename, await one.read())
            for one in form.getlist("files")
            if isinstance(one, UploadFile) and one.filename
        ]
    return await run_in_threadpool(_preview, request, user, sources)


def _preview(request: Request, user: User, sources: Sequence[Source]) -> HTMLResponse:
    if not sources:
        return _page(request, user, {"none": True}, HTTPStatus.BAD_REQUEST)
    now = estate_of(request)
    plan = read_files(sources, now.estate, now.today)
    return _show(request, user, plan, sources)


def _page(
    request: Request, user: User, values: dict[str, object], status: HTTPStatus = HTTPStatus.OK
) -> HTMLResponse:
    common = {"plan": None, "none": False, "changed": False, "too_large": False}
    limits = {"most_files": MOST_FILES, "most_bytes": MAX_UPLOAD, "most_mb": MAX_UPLOAD // MEGABYTE}
    return page(request, "import.html", user, {**common, **limits, **values}, status)


def _show(
    request: Request, user: User, plan: Plan, sources: Sequence[Source], *, changed: bool = False
) -> HTMLResponse:
    """The preview; the files are kept for the yes when there is something to say yes to."""
    language, now_ms = language_of(request), services_of(request).now_ms()
    held = ""
    if plan.differences:
        held = _held(request).put(Held(user.name, sources, _promise(plan), now_ms))
    status = HTTPStatus.BAD_REQUEST if plan.refused else HTTPStatus.OK
    values = {
        "plan": plan,
        "changed": changed,
        "files": [one.name for one in sources],
        "held": held,
        "summary": words.summary(plan.differences, language),
        "differences": [(one.kind, words.sentence(one, language)) for one in plan.differences[:MOST_SHOWN]],
        "more_differences": max(0, len(plan.differences) - MOST_SHOWN),
        "problems": plan.problems[:MOST_SHOWN],
        "more_problems": max(0, len(plan.problems) - MOST_SHOWN),
        "warnings": plan.warnings[:MOST_SHOWN],
        "more_warnings": max(0, len(plan.warnings) - MOST_SHOWN),
    }
    return _page(request, user, values, HTTPStatus.CONFLICT if changed else status)


def _promise(plan: Plan) -> str:
    """Stands for everything a preview said would change."""
    return hashlib.sha256(repr(plan.differences).encode()).hexdigest()


@router.post("/import/confirm")
def confirm(
    request: Request,
    user: Annotated[User, Depends(ADMIN)],
    held: Annotated[str, Form(max_length=32)] = "",
) -> Response:
    """Do what the preview said, and nothing else: when it would be another change by now, preview again."""
    services, today = services_of(request), estate_of(request).today
    upload = _held(request).get(held, user.name, services.now_ms())
    if upload is None:
        step = "choose the file again at /registers/import"
        raise Refusal(HTTPStatus.NOT_FOUND, "the uploaded file is no longer kept", step, "unknown_upload")
    reading = read_lines(upload.sources)  # takes long, so before anybody has to wait for the ledger
    plans: list[Plan] = []

    def change(estate: Estate) -> Estate:
        plans.append(plan_of(reading, estate, today))
        if plans[-1].refused or _promise(plans[-1]) != upload.promise:
            raise _Changed
        return plans[-1].estate_after

    why = ", ".join(one.name for one in upload.sources)
    try:
        estates.edit(
            services.ledger, change, who=user.name, role=user.role, now_ms=services.now_ms(), why=why
        )
    except _Changed:
        _held(request).drop(held)
        return _show(request, user, plans[-1], upload.sources, changed=True)
    _held(request).drop(held)
    services.poke()
    return RedirectResponse("/registers?imported=true", HTTPStatus.SEE_OTHER)
