"""Enrolment: a token in, an identity out. No login; the token is the right."""

from __future__ import annotations

import re
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hatang_agent.wire.messages import EnrolRequest
from hatang_collector.broker.enrol import EnrolRefusal, EnrolRefused
from hatang_collector.web.api import models
from hatang_collector.web.security import Open, services_of

router = APIRouter(prefix="/api/v1", tags=["enrolment"])

MAX_BYTES: Final = 16 * 1024
_EXAMPLES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": models.EnrolReplyModel},
    400: {"model": models.EnrolProblem, "description": "the body is not an enrolment request"},
    403: {"model": models.EnrolProblem, "description": "the token gives no right"},
    503: {"model": models.EnrolProblem, "description": "the broker does not answer"},
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
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            hint = "send token, version, label, asset code and fingerprint only"
            return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BYTES} bytes", hint)
    try:
        wanted = msgspec.json.decode(body, type=EnrolRequest)
    except msgspec.DecodeError as error:
        hint = "send the JSON that 'hatang-agent enroll' sends; see /api/docs"
        return _refused(HTTPStatus.BAD_REQUEST, f"not an enrolment request: {error}", hint)
    services = services_of(request)
    try:
        reply = await run_in_threadpool(services.enrol, wanted, services.now_ms())
    except EnrolRefused as refused:
        return _refused(_status_of(refused.reason), refused.reason, refused.hint)
    return JSONResponse(asdict(reply))
