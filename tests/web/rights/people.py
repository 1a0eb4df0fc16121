"""Rights of the pages of people and machines: users, enrolment tokens, log, changes of a machine."""

from __future__ import annotations

from hatang_collector.ledger import users
from hatang_collector.ledger.users import Role
from web.rights import ADMIN_FORM, ADMIN_PAGE, Table
from web.webkit import PASSWORD, START_MS, World, agent_id

MOVED, GONE = agent_id(801), agent_id(802)
SHOWN_ONCE = (303, 403, 403, 201, 303)
"""A form whose answer shows a secret instead of sending the browser on."""

REASON = {"reason": "đã kiểm tra tại chỗ"}

TABLE: Table = {
    ("GET", "/users"): ("/users", None, ADMIN_PAGE),
    ("POST", "/users"): ("/users", {"name": "moi", "role": "viewer"}, SHOWN_ONCE),
    ("POST", "/users/{name}/role"): ("/users/khach/role", {"role": "inspector"}, ADMIN_FORM),
    ("POST", "/users/{name}/reset"): ("/users/khach/reset", {}, ADMIN_PAGE),
    ("POST", "/users/{name}/remove"): ("/users/khach/remove", {}, ADMIN_FORM),
    ("GET", "/tokens"): ("/tokens", None, ADMIN_PAGE),
    ("POST", "/tokens"): ("/tokens", {"role": "pc", "uses": "2", "days": "3"}, SHOWN_ONCE),
    ("POST", "/tokens/revoke"): ("/tokens/revoke", {"id": "zzzzzz"}, (303, 403, 403, 404, 303)),
    ("GET", "/log"): ("/log", None, ADMIN_PAGE),
    ("GET", "/log.csv"): ("/log.csv", None, ADMIN_PAGE),
    ("GET", "/machines/{agent}/edit"): (f"/machines/{MOVED}/edit", None, ADMIN_PAGE),
    ("POST", "/machines/{agent}/edit"): (f"/machines/{MOVED}/edit", {"label": "Máy 2"}, ADMIN_FORM),
    ("POST", "/machines/{agent}/move"): (f"/machines/{MOVED}/move", {"staff_group": "cbcc"}, ADMIN_FORM),
    ("POST", "/machines/{agent}/retire"): (f"/machines/{GONE}/retire", {"sure": "yes"}, ADMIN_FORM),
    ("POST", "/machines/{agent}/findings/{finding}/close"): (
        f"/machines/{MOVED}/findings/{'0' * 16}/close",
        REASON,
        (303, 403, 403, 400, 303),
    ),
}


def prepare(world: World) -> None:
    """A user and two machines to change."""
    world.add(801, "Máy để sửa")
    world.add(802, "Máy để ngừng dùng")
    with world.ledger.write() as c:
        users.create(c, "khach", Role.VIEWER, PASSWORD, must_change=False, now_ms=START_MS)
