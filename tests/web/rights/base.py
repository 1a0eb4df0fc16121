"""Rights of the first pages: machines, board, login, account, documents of the API."""

from __future__ import annotations

from web.rights import ALL_IN, API, PAGE, Table
from web.webkit import PASSWORD, agent_id

AGENT = agent_id(1)
FORM = {"present": PASSWORD, "new": "x", "again": "y"}

TABLE: Table = {
    ("GET", "/api/v1/machines"): ("/api/v1/machines", None, API),
    ("GET", "/api/v1/machines/{agent}"): (f"/api/v1/machines/{AGENT}", None, API),
    ("GET", "/api/v1/machines/{agent}/series"): (
        f"/api/v1/machines/{AGENT}/series?measurement=usage&field=cpu_percent",
        None,
        API,
    ),
    ("GET", "/api/v1/events"): ("/api/v1/events", None, API),
    ("GET", "/api/v1/health"): ("/api/v1/health", None, ALL_IN),
    ("GET", "/metrics"): ("/metrics", None, ALL_IN),
    ("POST", "/api/v1/enrol"): ("/api/v1/enrol", None, (400, 400, 400, 400, 400)),
    ("GET", "/api/openapi.json"): ("/api/openapi.json", None, ALL_IN),
    ("GET", "/api/docs"): ("/api/docs", None, ALL_IN),
    ("GET", "/machines"): ("/machines", None, PAGE),
    ("GET", "/board/cards"): ("/board/cards", None, API),
    ("GET", "/board/events"): ("/board/events", None, API),
    ("GET", "/board/charts"): (f"/board/charts?agents={AGENT}", None, API),
    ("GET", "/machines/{agent}"): (f"/machines/{AGENT}", None, PAGE),
    ("GET", "/machines/{agent}/now"): (f"/machines/{AGENT}/now", None, PAGE),
    ("GET", "/machines/{agent}/charts"): (f"/machines/{AGENT}/charts", None, PAGE),
    ("GET", "/login"): ("/login", None, ALL_IN),
    ("POST", "/login"): ("/login", {"name": "nobody"}, (401, 401, 401, 401, 401)),
    ("POST", "/logout"): ("/logout", {}, (303, 303, 303, 303, 303)),
    ("POST", "/language"): ("/language", {"language": "en"}, (303, 303, 303, 303, 303)),
    ("GET", "/account"): ("/account", None, PAGE),
    ("GET", "/account/password"): ("/account/password", None, (303, 200, 200, 200, 200)),
    ("POST", "/account/password"): ("/account/password", FORM, (303, 400, 400, 400, 400)),
    ("POST", "/account/tokens"): ("/account/tokens", {"role": "admin"}, (303, 403, 403, 201, 303)),
    ("POST", "/account/tokens/revoke"): (
        "/account/tokens/revoke",
        {"id": "zzzzzz"},
        (303, 404, 404, 404, 303),
    ),
}
