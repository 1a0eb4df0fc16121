"""Rights of the settings of agents: they are the administrators' alone."""

from __future__ import annotations

from web.rights import ADMIN_FORM, ADMIN_PAGE, Table

SET = {"scope": "all", "key": "reporting.report_s", "role": "pc", "value": "60"}

TABLE: Table = {
    ("GET", "/settings"): ("/settings", None, ADMIN_PAGE),
    ("GET", "/settings/node"): ("/settings/node?scope=all", None, ADMIN_PAGE),
    ("POST", "/settings/set"): ("/settings/set", SET, ADMIN_FORM),
    ("POST", "/settings/clear"): ("/settings/clear", SET, ADMIN_FORM),
}
