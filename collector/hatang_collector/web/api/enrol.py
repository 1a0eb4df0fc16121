"""Enrolment: a token in, an identity out. No login; the token is the right.

The same answer is given at the pages, behind a reverse proxy or on loopback, and by
:mod:`hatang_collector.web.enrol_server`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from hatang_agent.wire.messages import EnrolReply, EnrolRequest
from hatang_collector.broker.enrol import EnrolRefusal, EnrolRefused
from hatang_collector.clock import NowMs
from hatang_collector.ledger.errors import LedgerUnavailable
from hatang_collector.web.api import models
from hatang_collector.web.security import Open, services_of

log = logging.getLogger(__name__)
router = APIRouter(prefix="/api/v1", tags=["enrolment"])

MAX_BYTES: Final = 16 * 1024
_EXAMPLES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": models.EnrolReplyModel},
    400: {"model": models.EnrolProblem, "description": "the body is not an enrolment request"},
    403: {"model": models.EnrolProblem, "description": "the token gives no right"},
    503: {"model": models.EnrolProblem, "description": "the broker or the ledger does not answer"},
    413: {"model": models.EnrolProblem, "description": "the body is too large"},
}


def _refused(status: HTTPStatus, error: str, hint: str) -> JSONResponse:
    """One line of JSON: an agent prints it as it is."""
    return JSONResponse({"error": _one_line(error), "hint": _one_line(hint)}, int(status))


def _status_of(reason: EnrolRefusal) -> HTTPStatus:
    """403 for the token, 503 for the broker, 400 for what the machine sent."""
    if reason.startswith("token_"):
        return HTTPStatus.FORBIDDEN
    if reason is EnrolRefusal.BROKER_UNAVAILABLE:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.BAD_REQUEST


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:500]


@router.post(
    "/enrol",
    summary="Get an identity for a machine",
    dependencies=[Depends(Open())],
    responses=_EXAMPLES,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": models.EnrolRequestModel.model_json_schema(),
                    "example": models.EnrolRequestModel.model_config["json_schema_extra"]["example"],  # type: ignore[index]
                }
            },
        }
    },
)
async def enrol(request: Request) -> JSONResponse:
    """The agent's first message. A machine that lost its state gets its identity back by its hardware."""
    services = services_of(request)
    return await answer(request, services.enrol, services.now_ms)


async def answer(
    request: Request, give: Callable[[EnrolRequest, int], EnrolReply], now_ms: NowMs
) -> JSONResponse:
    """What an agent is told: an identity, or in one line why not and what to do."""
    try:
        body = await _body(request)
    except ClientDisconnect:  # nobody is left to read this
        return _refused(HTTPStatus.BAD_REQUEST, "the request broke off", "send it again")
    if body is None:
        hint = "send token, version, label, asset code, staff group and fingerprint only"
        return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BYTES} bytes", hint)
    try:
        wanted = msgspec.json.decode(body, type=EnrolRequest)
    except msgspec.DecodeError as error:
        hint = "send the JSON that 'hatang-agent enroll' sends; see /api/docs"
        return _refused(HTTPStatus.BAD_REQUEST, f"not an enrolment request: {error}", hint)
    try:
        reply = await run_in_threadpool(give, wanted, now_ms())
    except EnrolRefused as refused:
        return _refused(_status_of(refused.reason), refused.reason, refused.hint)
    except LedgerUnavailable as error:  # the details are for the log, not for anybody who asks
        log.warning("an enrolment had to wait: %s", error)
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return _refused(status, "the collector's ledger does not answer", "try again in a minute")
    return JSONResponse(asdict(reply))


async def _body(request: Request) -> bytes | None:
    """The body, None when it is too large: then the rest is not waited for."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            return None
    return body
