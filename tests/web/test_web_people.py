"""Users and enrolment tokens: what an administrator does there, and what nobody may."""

from __future__ import annotations

import re

import httpx
import pytest

from hatang_collector.domain import edits
from hatang_collector.domain.estate import Estate, Site, SiteUnit, Unit
from hatang_collector.enrol_lines import lines_to_run
from hatang_collector.ledger import audit, tokens, users
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.audit import Change
from hatang_collector.ledger.tokens import EnrolToken, TokenRefusal
from hatang_collector.ledger.users import Role
from web.webkit import PASSWORD, START_MS, World
from web.webkit import Site as RunningSite

DAY_MS = 86_400_000


def latest(world: World) -> Change:
    """The newest act in the log."""
    with world.ledger.read() as c:
        return audit.latest(c, 1)[0]


def acts(world: World) -> list[tuple[str, str, str, str]]:
    """(who, role, action, subject) of every act, oldest first."""
    with world.ledger.read() as c:
        return [(one.who, one.role, one.action, one.subject) for one in reversed(audit.latest(c))]


def roles(world: World) -> dict[str, str]:
    """Every user with the role."""
    with world.ledger.read() as c:
        return {one.name: str(one.role) for one in users.every(c)}


def only_admin(world: World) -> None:
    """Leave ``admin`` as the one administrator."""
    with world.ledger.write() as c:
        users.remove(c, "fresh")


def shown_password(answer: httpx.Response) -> str:
    """The password on a page that shows one."""
    found = re.search(r'id="new-password">([^<]+)<', answer.text)
    assert found is not None
    return found[1]


def test_a_new_user_gets_a_password_that_is_shown_once_and_must_be_changed(
    site: RunningSite, world: World
) -> None:
    """The page shows it, the log does not, the list never again, and it opens only the password form."""
    admin = site.session(Role.ADMIN)
    answer = admin.post("/users", data={"name": " Lan.Nguyen ", "role": "inspector"})
    assert answer.status_code == 201
    password = shown_password(answer)
    assert password not in admin.get("/users").text
    assert (latest(world).action, latest(world).subject) == ("user.add", "lan.nguyen")
    assert password not in latest(world).detail
    person = site.client()
    login = person.post("/login", data={"name": "lan.nguyen", "password": password})
    assert login.headers["location"] == "/account/password"
    assert person.get("/").headers["location"] == "/account/password"
    assert roles(world)["lan.nguyen"] == "inspector"


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [("viewer", 409, "đã có người dùng tên này"), ("có dấu", 400, "a-z 0-9"), ("", 400, "a-z 0-9")],
)
def test_a_name_that_cannot_be_is_refused_in_words(
    site: RunningSite, world: World, name: str, status: int, told: str
) -> None:
    """A taken or impossible name changes nothing, and what was typed stays in the form."""
    before = roles(world)
    answer = site.session(Role.ADMIN).post("/users", data={"name": name, "role": "admin"})
    assert (answer.status_code, roles(world)) == (status, before)
    assert told in answer.text
    assert f'value="{name}"' in answer.text


def test_a_role_changes_and_rights_follow_at_once(site: RunningSite, world: World) -> None:
    """A session of the demoted goes on with less; API tokens that may do more than the new role are gone."""
    admin, other = site.session(Role.ADMIN), site.session(Role.INSPECTOR)
    with world.ledger.write() as c:
        users.change_role(c, "inspector", Role.ADMIN)
        strong = users.create_api_token(c, "inspector/a", Role.ADMIN, START_MS)
        weak = users.create_api_token(c, "inspector/b", Role.VIEWER, START_MS)
    assert other.get("/users").status_code == 200
    assert admin.post("/users/inspector/role", data={"role": "viewer"}).status_code == 303
    assert other.get("/users").status_code == 403
    with world.ledger.read() as c:
        assert users.api_token(c, strong, START_MS) is None
        assert users.api_token(c, weak, START_MS) is not None
    assert acts(world) == [("admin", "admin", "user.role", "inspector")]
    assert latest(world).detail == '{"role": ["admin", "viewer"]}'


def test_the_same_role_again_is_no_act(site: RunningSite, world: World) -> None:
    """Nothing changed, so nothing is in the log."""
    assert site.session(Role.ADMIN).post("/users/viewer/role", data={"role": "viewer"}).status_code == 303
    assert acts(world) == []


def test_a_reset_ends_sessions_and_gives_a_new_first_password(site: RunningSite, world: World) -> None:
    """The old password and the old session are worth nothing."""
    theirs = site.session(Role.VIEWER)
    answer = site.session(Role.ADMIN).post("/users/viewer/reset")
    password = shown_password(answer)
    assert theirs.get("/").status_code == 303
    with world.ledger.read() as c:
        assert users.verify(c, "viewer", PASSWORD) is None
        found = users.verify(c, "viewer", password)
    assert found is not None
    assert found.must_change
    assert acts(world) == [("admin", "admin", "user.reset", "viewer")]


def test_somebody_removed_is_out(site: RunningSite, world: World) -> None:
    """The session ends; the log keeps who did it."""
    theirs = site.session(Role.VIEWER)
    assert site.session(Role.ADMIN).post("/users/viewer/remove").status_code == 303
    assert theirs.get("/").status_code == 303
    assert "viewer" not in roles(world)
    assert acts(world) == [("admin", "admin", "user.remove", "viewer")]


@pytest.mark.parametrize("act", ["role", "reset", "remove"])
@pytest.mark.parametrize("name", ["admin", "ADMIN", "%20Admin"])
def test_nobody_acts_on_themselves(site: RunningSite, world: World, act: str, name: str) -> None:
    """However one's own name is written, one cannot demote, reset or remove oneself."""
    before = roles(world)
    answer = site.session(Role.ADMIN).post(f"/users/{name}/{act}", data={"role": "viewer"})
    assert (answer.status_code, roles(world), acts(world)) == (409, before, [])
    assert "Hãy nhờ một quản trị viên khác" in answer.text


def test_the_last_admin_stays(site: RunningSite, world: World) -> None:
    """The last administrator has no button to lose the role, and the ledger would refuse it too."""
    fresh = site.session(Role.ADMIN)
    only_admin(world)
    with world.ledger.write() as c:
        users.create(c, "b", Role.ADMIN, PASSWORD, must_change=False, now_ms=START_MS)
        text = users.open_session(c, "b", START_MS)
    other = site.client(cookies={"hatang_session": text})
    assert other.get("/users").status_code == 200
    assert fresh.post("/users/b/role", data={"role": "viewer"}).status_code == 303
    assert other.get("/users").status_code == 403
    page = fresh.get("/users").text
    assert "/users/admin/remove" not in page
    with pytest.raises(users.Refused), world.ledger.write() as c:
        users.change_role(c, "admin", Role.VIEWER)
    assert roles(world)["admin"] == "admin"


@pytest.mark.parametrize("act", ["role", "reset", "remove"])
def test_acts_on_nobody_are_told(site: RunningSite, act: str) -> None:
    """Another administrator was quicker: the page says so and shows the list."""
    answer = site.session(Role.ADMIN).post(f"/users/nobody/{act}", data={"role": "viewer"})
    assert answer.status_code == 404
    assert "Không có người dùng “nobody”" in answer.text


def test_an_api_token_gives_no_rights_to_others(site: RunningSite, world: World) -> None:
    """Even an administrator's token makes no users and no enrolment tokens."""
    client = site.api(Role.ADMIN)
    assert client.get("/users").status_code == 200
    for path in ("/users", "/users/viewer/role", "/users/viewer/reset", "/users/viewer/remove", "/tokens"):
        assert client.post(path, data={"name": "x", "role": "pc"}).status_code in {403, 422}
    with world.ledger.read() as c:
        assert tokens.every(c) == []
    assert acts(world) == []


def test_the_list_tells_when_somebody_was_last_here(site: RunningSite, world: World) -> None:
    """The last use outlives logging out; nobody's is a dash."""
    theirs = site.session(Role.VIEWER)
    world.clock.ms += 3_600_000
    theirs.get("/account")
    theirs.post("/logout")
    world.clock.ms += 7 * DAY_MS
    page = site.session(Role.ADMIN).get("/users").text
    row = page[page.index('id="user-viewer"') :].partition("</tr>")[0]
    assert "20/11/2026 09:26:00" in row
    unused = page[page.index('id="user-inspector"') :].partition("</tr>")[0]
    assert "<td>–</td>" in unused


# Enrolment tokens ------------------------------------------------------------------------------------


def declare(world: World) -> None:
    """A commune with two offices, one of them shared with a centre."""
    rows = (
        Unit("46", "Thành phố Huế"),
        Unit("20161", "UBND xã Khe Tre", "xã", "46"),
        Unit("TT-KT", "Trung tâm phục vụ hành chính công", "trung tâm", "20161"),
        Site("KT", "Trụ sở Khe Tre"),
        Site("KT2", "Nhà văn hoá"),
        SiteUnit("KT", "20161"),
        SiteUnit("KT", "TT-KT"),
        SiteUnit("KT2", "20161"),
    )

    def all_of_them(estate: Estate) -> Estate:
        return edits.put_all(estate, rows)

    estates.edit(world.ledger, all_of_them, who="test", role="admin", now_ms=START_MS)


def stored(world: World) -> list[EnrolToken]:
    """Every enrolment token."""
    with world.ledger.read() as c:
        return tokens.every(c)


WISH = {
    "role": "pc",
    "uses": "30",
    "days": "14",
    "note": "tầng  2 <b>",
    "unit": "20161",
    "site": "KT",
    "staff_group": "cbcc",
}


def test_a_token_is_shown_once_with_the_lines_to_run(site: RunningSite, world: World) -> None:
    """It carries its place, works, is in the log without its secret, and the list knows who made it."""
    declare(world)
    admin = site.session(Role.ADMIN)
    answer = admin.post("/tokens", data=WISH)
    assert answer.status_code == 201
    found = re.search(r'id="new-token">([^<]+)<', answer.text)
    assert found is not None
    text = found[1]
    lines = lines_to_run(world.offer.url, text, world.offer.pin, "pc")
    assert lines["linux"] in answer.text
    assert lines["windows"] in answer.text
    assert lines["windows"] != ""
    (token,) = stored(world)
    assert (token.role, token.uses, token.expires_ms) == ("pc", 30, START_MS + 14 * DAY_MS)
    assert (token.unit, token.site, token.staff_group, token.note) == ("20161", "KT", "cbcc", "tầng 2 <b>")
    page = admin.get("/tokens").text
    assert text not in page
    row = page[page.index(f'id="token-{token.id}"') :].partition("</tr>")[0]
    for told in ("dùng được", "0/30", "UBND xã Khe Tre", "Trụ sở Khe Tre", "Cán bộ, công chức", "admin"):
        assert told in row
    assert "tầng 2 &lt;b&gt;" in row
    assert (latest(world).action, latest(world).subject) == ("token.create", token.id)
    assert text.partition("-")[2] not in latest(world).detail
    with world.ledger.write() as c:
        assert isinstance(tokens.claim(c, text, START_MS), EnrolToken)


def test_a_site_probe_has_a_line_for_linux_only(site: RunningSite) -> None:
    """No line that cannot work is shown."""
    answer = site.session(Role.ADMIN).post("/tokens", data={"role": "probe", "uses": "1", "days": "1"})
    assert 'id="line-linux"' in answer.text
    assert 'id="line-windows"' not in answer.text


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"unit": "99999"}, "không có đơn vị đã chọn"),
        ({"site": "nowhere"}, "không có trụ sở đã chọn"),
        ({"staff_group": "x"}, "Không có nhóm cán bộ đã chọn"),
        ({"site": "KT"}, "nhiều đơn vị"),
    ],
)
def test_a_token_for_nowhere_is_refused(
    site: RunningSite, world: World, place: dict[str, str], told: str
) -> None:
    """A place that is not there today, or that says nothing about whose machine it is."""
    declare(world)
    answer = site.session(Role.ADMIN).post("/tokens", data={"role": "pc", "note": "giữ lại", **place})
    assert answer.status_code == 400
    assert told in answer.text
    assert 'value="giữ lại"' in answer.text
    assert stored(world) == []


@pytest.mark.parametrize(
    ("uses", "days"), [("0", "1"), ("1", "0"), ("100001", "1"), ("1", "3651"), ("x", "1")]
)
def test_numbers_out_of_range_make_no_token(site: RunningSite, world: World, uses: str, days: str) -> None:
    """Neither a token for nobody nor one for ever."""
    answer = site.session(Role.ADMIN).post("/tokens", data={"role": "pc", "uses": uses, "days": days})
    assert (answer.status_code, stored(world)) == (422, [])


def test_every_state_of_a_token_is_told(site: RunningSite, world: World) -> None:
    """Usable, used up, expired and revoked ones; only a usable one can be revoked."""
    with world.ledger.write() as c:
        made = {
            name: tokens.create(c, role="pc", uses=1, expires_ms=START_MS + days * DAY_MS, now_ms=START_MS)
            for name, days in (("usable", 9), ("used_up", 9), ("expired", 1), ("revoked", 9))
        }
        tokens.claim(c, made["used_up"], START_MS)
    ids = {name: text.partition("-")[0] for name, text in made.items()}
    admin = site.session(Role.ADMIN)
    world.clock.ms += DAY_MS
    admin = site.session(Role.ADMIN)
    assert admin.post("/tokens/revoke", data={"id": ids["revoked"]}).status_code == 303
    page = admin.get("/tokens").text
    for name, told in (
        ("usable", "dùng được"),
        ("used_up", "đã dùng hết"),
        ("expired", "hết hạn"),
        ("revoked", "đã thu hồi"),
    ):
        row = page[page.index(f'id="token-{ids[name]}"') :].partition("</tr>")[0]
        assert told in row
        assert ("/tokens/revoke" in row) is (name == "usable")
    with world.ledger.write() as c:
        assert tokens.claim(c, made["revoked"], world.clock()) is TokenRefusal.REVOKED
    assert acts(world) == [("admin", "admin", "token.revoke", ids["revoked"])]
    admin.post("/tokens/revoke", data={"id": ids["revoked"]})
    assert len(acts(world)) == 1


def test_tokens_are_for_administrators_only(site: RunningSite, world: World) -> None:
    """A viewer and an inspector neither see nor revoke one."""
    site.session(Role.ADMIN).post("/tokens", data={"role": "pc"})
    (token,) = stored(world)
    for role in (Role.VIEWER, Role.INSPECTOR):
        client = site.session(role)
        assert token.id not in client.get("/tokens").text
        assert client.post("/tokens/revoke", data={"id": token.id}).status_code == 403
    assert stored(world)[0].revoked_ms is None
