"""The collector about itself: health and metrics."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from hatang_collector.ledger.users import Role, User
from hatang_collector.web.api import models
from hatang_collector.web.security import ANYONE, LocalOr, services_of
from hatang_collector.web.services import Condition

router = APIRouter(tags=["collector"])

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get(
    "/api/v1/health",
    summary="How the collector is",
    responses={503: {"model": models.HealthModel, "description": "a part has failed"}},
    response_model_exclude_none=True,
)
def health(
    request: Request, response: Response, user: Annotated[User | None, Depends(ANYONE)]
) -> models.HealthModel:
    """Conditions ok and degraded answer 200, failed answers 503. Parts are told to logged-in callers."""
    found = services_of(request).health()
    if found.condition is Condition.FAILED:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    if user is None or user.must_change:
        return models.HealthModel(condition=found.condition)
    parts = [models.PartModel.model_validate(part, from_attributes=True) for part in found.parts]
    return models.HealthModel(condition=found.condition, parts=parts)


@router.get(
    "/metrics",
    summary="Figures about the collector for Prometheus",
    dependencies=[Depends(LocalOr(Role.VIEWER))],
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text format 0.0.4",
            "content": {
                "text/plain": {"example": "# TYPE hatang_reports_total counter\nhatang_reports_total 42\n"}
            },
        }
    },
)
def metrics(request: Request) -> Response:
    """From this machine without a login, from elsewhere with an API token."""
    return Response(services_of(request).metrics(), media_type=METRICS_TYPE)
