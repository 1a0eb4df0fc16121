"""Errors a caller meets: one place, one cause, one next step, as JSON or as a page."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """What went wrong, where, and what to do next."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "place": "GET /api/v1/machines/aaaa",
                "cause": "no machine has this id",
                "next_step": "list the machines with GET /api/v1/machines",
            }
        }
    )

    place: str
    cause: str
    next_step: str


class Refusal(Exception):  # noqa: N818 - it is answered, not an internal error
    """Ends a request with a status and a problem. ``page`` names the text that pages show instead."""

    def __init__(
        self, status: HTTPStatus, cause: str, next_step: str, page: str = "", retry_after_s: int = 0
    ) -> None:
        super().__init__(cause)
        self.status = status
        self.cause = cause
        self.next_step = next_step
        self.page = page
        self.retry_after_s = retry_after_s


_NEXT_STEPS = {
    HTTPStatus.NOT_FOUND: "the operations are listed at /api/docs",
    HTTPStatus.METHOD_NOT_ALLOWED: "the operations and their methods are listed at /api/docs",
    HTTPStatus.INTERNAL_SERVER_ERROR: "look for this time in the collector's log and report what it says",
}


def next_step_of(status: int) -> str:
    """What a caller can do about a status that came without advice of its own."""
    return _NEXT_STEPS.get(HTTPStatus(status), "correct the request and send it again")


def unknown_machine(agent: str) -> Refusal:
    """The answer for a machine that nobody enrolled."""
    return Refusal(
        HTTPStatus.NOT_FOUND,
        f"no machine has the id {agent}",
        "list the machines with GET /api/v1/machines",
        page="unknown_machine",
    )
