"""Style sheet, scripts and pictures of the pages, cached by their content."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER: Final = Path(__file__).parent / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "public, no-cache"


@cache
def version_of(name: str) -> str:
    """Ten digits of the file's SHA-256."""
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:10]


def address_of(name: str) -> str:
    """Where pages load a file from; another content has another address."""
    return f"/static/{name}?v={version_of(name)}"


class CachedFiles(StaticFiles):
    """Files with ETag; those asked for by their present version are kept by browsers for a year."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the file, or 304 when the browser has it."""
        response = await super().get_response(path, scope)
        if response.status_code in {200, 304}:
            asked = scope["query_string"].decode("latin-1")
            known = asked == f"v={version_of(path)}"
            response.headers["Cache-Control"] = _FOR_EVER if known else _ASK_AGAIN
        return response
