"""Changes of machines as they happen."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from hatang_collector.web import stream
from hatang_collector.web.api import models
from hatang_collector.web.feed import Change
from hatang_collector.web.security import VIEWER, services_of

router = APIRouter(prefix="/api/v1", tags=["machines"])

_EXAMPLE = (
    "id: 5f2c9a10-17\nevent: machines\n"
    'data: {"now_ms":1795137960000,"changed":[{"agent":"k3v7q2m5x4a6b2c3","state":"up"}],"gone":[]}\n\n'
)


@router.get(
    "/events",
    summary="Changes of machines, as server-sent events",
    dependencies=[Depends(VIEWER)],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "events 'machines' with the summaries that changed; comments as heartbeat",
            "content": {"text/event-stream": {"example": _EXAMPLE}},
        }
    },
)
async def events(
    request: Request,
    since: Annotated[
        str, Query(max_length=40, description="id of the last event seen; default: from now on")
    ] = "",
) -> StreamingResponse:
    """Ends after ten minutes; come back with the last id. An id of a former process gets every machine."""
    now_ms = services_of(request).now_ms

    async def encode(change: Change) -> str:
        if not change.changed and not change.gone:
            return ""  # what changed is no machine
        content = {
            "now_ms": now_ms(),
            "changed": [models.MachineSummary.of(one).model_dump(mode="json") for one in change.changed],
            "gone": list(change.gone),
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    return stream.respond(request, since, encode, heartbeat=lambda: ": still here\n\n")
