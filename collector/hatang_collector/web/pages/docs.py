"""The API's operations as a page of our own: nothing is loaded from anywhere else."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, JSONResponse

from hatang_collector.ledger.users import User
from hatang_collector.web.render import page
from hatang_collector.web.security import ANYONE

router = APIRouter(prefix="/api", include_in_schema=False)


def _example(content: dict[str, Any], components: dict[str, Any]) -> str:
    """The first example of a body: its own, or that of the model it refers to."""
    for kind, body in content.items():
        found = body.get("example")
        if found is None:
            name = str(body.get("schema", {}).get("$ref", "")).rpartition("/")[2]
            found = components.get(name, {}).get("example")
        if found is not None:
            text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, indent=2)
            return f"{kind}\n\n{text}"
    return ""


def operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What the page shows of each operation, in the order of the paths."""
    components = schema.get("components", {}).get("schemas", {})
    found = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            answers = operation.get("responses", {})
            found.append(
                {
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("summary", ""),
                    "description": operation.get("description", ""),
                    "parameters": operation.get("parameters", []),
                    "request": _example(operation.get("requestBody", {}).get("content", {}), components),
                    "answer": _example(answers.get("200", {}).get("content", {}), components),
                }
            )
    return found


@router.get("/openapi.json", dependencies=[Depends(ANYONE)])
def openapi(request: Request) -> JSONResponse:
    """The description for programs (OpenAPI 3.1)."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def docs(request: Request, user: Annotated[User | None, Depends(ANYONE)]) -> HTMLResponse:
    """The description for people."""
    return page(request, "docs.html", user, {"operations": operations(request.app.openapi())})
