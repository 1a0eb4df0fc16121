"""Who may do what: every route, every role; forms of other sites; sessions; passwords; tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from hatang_collector.ledger import users
from hatang_collector.ledger.users import Role
from hatang_collector.web.guard import MAX_BODY, foreign_origin, is_loopback
from hatang_collector.web.security import SESSION_COOKIE, Needs, Open, local_path, suffices
from support.wait import until
from web.rights import NOBODY, WHO, areas, whole_table
from web.webkit import PASSWORD, Site, World, usage

TABLE = whole_table()
FORM = {"present": PASSWORD, "new": "x", "again": "y"}


def routes(site: Site) -> Iterator[APIRoute]:
    """Every route with code of ours; the static files are a mount beside them."""
    for route in site.app.routes:
        for found in getattr(getattr(route, "original_router", None), "routes", [route]):
            if isinstance(found, APIRoute):
                yield found


def test_the_table_names_every_route(site: Site) -> None:
    """A new route without a line in the table of rights fails here."""
    found = {(method, route.path) for route in routes(site) for method in route.methods or ()}
    assert found == set(TABLE)


def test_every_route_says_what_it_needs(site: Site) -> None:
    """Each route depends on a role, on a login, or says that it is open on purpose."""
    for route in routes(site):
        calls = [dependency.call for dependency in route.dependant.dependencies]
        named = [call for call in calls if isinstance(call, Needs | Open) or type(call).__name__ == "LocalOr"]
        assert named, f"{route.path} does not say who may use it"


@pytest.mark.parametrize("who", WHO)
def test_rights(site: Site, world: World, who: str) -> None:
    """Every role gets from every route exactly what the table says."""
    world.add(1, "Máy 1")
    for area in areas():
        getattr(area, "prepare", lambda _world: None)(world)
    wrong = {}
    for (method, _), (path, form, expected) in TABLE.items():
        client = site.client()
        if who != NOBODY:
            with world.ledger.write() as c:
                text = users.open_session(c, who, world.clock())
            client.cookies.set(SESSION_COOKIE, text)
        with client.stream(method, path, data=form) as answer:
            if answer.status_code != expected[WHO.index(who)]:
                wrong[method, path] = answer.status_code
        world.clock.ms += 1_000_000  # so that no password is throttled
    assert wrong == {}


def test_a_token_has_its_roles_rights_and_no_more(site: Site, world: World) -> None:
    """An API token reads as its role does, but makes no tokens and changes no password."""
    world.add(1)
    client = site.api(Role.ADMIN)
    assert client.get("/api/v1/machines").status_code == 200
    assert client.post("/account/tokens", data={"role": "admin"}).status_code == 403
    assert client.post("/account/password", data=FORM).status_code == 403


def test_a_revoked_or_invented_token_is_refused_in_full(site: Site) -> None:
    """A wrong token is 401 with place, cause and next step, also where nobody needs one."""
    client = site.client({"authorization": "Bearer abcdef-nothing"})
    for path in ("/api/v1/machines", "/api/v1/health", "/metrics"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert set(answer.json()) == {"place", "cause", "next_step"}


def test_metrics_from_elsewhere_need_a_token(site: Site) -> None:
    """What a proxy hands on is not this machine, so it needs a token."""
    elsewhere = {"x-forwarded-for": "203.0.113.9"}
    assert site.client(elsewhere).get("/metrics").status_code == 401
    allowed = site.api().get("/metrics", headers=elsewhere)
    assert allowed.status_code == 200
    assert allowed.headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.9.1", {}, True),
        ("::1", {}, True),
        ("10.0.0.5", {}, False),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.5"}, False),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.5"}, False),
        ("", {}, False),
    ],
)
def test_loopback(client: str, headers: dict[str, str], local: bool) -> None:
    """Only a direct connection of this machine is this machine."""
    assert is_loopback(client, Headers(headers)) is local


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site", "origin": "http://board"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://board"}, True),
        ({"origin": "https://board"}, True),
        ({"origin": "http://board.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"referer": "http://board/login"}, True),
        ({"referer": "http://evil.example/?http://board/"}, False),
        ({}, False),
        ({"authorization": "Bearer x"}, True),
    ],
)
def test_forms_of_other_sites(headers: dict[str, str], allowed: bool) -> None:
    """Old and new browsers are understood; what does not say where it comes from is refused."""
    reason = foreign_origin("POST", "/login", Headers({"host": "board", **headers}))
    assert (reason is None) is allowed
    assert foreign_origin("GET", "/", Headers({"host": "board", **headers})) is None


def test_a_foreign_form_changes_nothing(site: Site) -> None:
    """A form of another site does not log out, and learns why."""
    client = site.session(Role.VIEWER)
    answer = client.post("/logout", headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "evil.example" in answer.json()["cause"]
    assert client.get("/").status_code == 200


@given(st.text(max_size=60))
def test_nobody_is_sent_to_another_site(wanted: str) -> None:
    """Whatever stands in ``next``, the way leads to a path of this site."""
    found = local_path(wanted)
    assert found.startswith("/")
    assert not re.match(r"^/[/\\]", found)
    assert "\n" not in found
    assert httpx.URL("http://board/").join(found).host == "board"


def test_roles_rise() -> None:
    """Each role may do what those before it may."""
    assert suffices(Role.ADMIN, Role.VIEWER)
    assert suffices(Role.INSPECTOR, Role.INSPECTOR)
    assert not suffices(Role.VIEWER, Role.INSPECTOR)


def test_login_sets_a_safe_cookie_and_leads_where_one_wanted(site: Site) -> None:
    """The cookie is out of reach for scripts and other sites; logging out ends the session."""
    client = site.client()
    answer = client.post("/login", data={"name": "Viewer", "password": PASSWORD, "next": "/account"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert client.get("/").status_code == 200
    text = client.cookies[SESSION_COOKIE]
    client.post("/logout")
    client.cookies.set(SESSION_COOKIE, text)
    assert client.get("/").status_code == 303


def test_the_cookie_is_secure_behind_https(site: Site) -> None:
    """A proxy that speaks HTTPS outside gets a cookie that never travels in the clear."""
    data = {"name": "viewer", "password": PASSWORD}
    answer = site.client({"x-forwarded-proto": "https"}).post("/login", data=data)
    assert "secure" in answer.headers["set-cookie"].lower()


def test_guessing_is_slowed_down(site: Site, world: World) -> None:
    """After three wrong passwords even the right one has to wait, and the page says so."""
    client = site.client()
    answers = [client.post("/login", data={"name": "viewer", "password": "wrong"}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]
    assert client.post("/login", data={"name": "viewer", "password": PASSWORD}).status_code == 429
    world.clock.ms += 10_000
    assert client.post("/login", data={"name": "viewer", "password": PASSWORD}).status_code == 303


def test_a_wrong_name_and_a_wrong_password_read_alike(site: Site) -> None:
    """The page does not tell which names there are."""
    client = site.client()
    bodies = {
        client.post("/login", data={"name": name, "password": "wrong"}).text.replace(name, "NAME")
        for name in ("viewer", "nobody-here")
    }
    assert len(bodies) == 1


def test_the_first_password_must_be_changed(site: Site, world: World) -> None:
    """Login leads to the form, nothing else opens, and afterwards everything does."""
    client = site.client()
    answer = client.post("/login", data={"name": "fresh", "password": PASSWORD, "next": "/"})
    assert answer.headers["location"] == "/account/password"
    assert client.get("/").headers["location"] == "/account/password"
    assert client.get("/api/v1/machines").status_code == 403
    assert "parts" not in client.get("/api/v1/health").json()
    new = "mật khẩu của riêng tôi"
    changed = {"present": PASSWORD, "new": new, "again": new}
    assert client.post("/account/password", data={**changed, "again": "other"}).status_code == 400
    assert client.post("/account/password", data={**changed, "present": "wrong"}).status_code == 400
    same = {"present": PASSWORD, "new": PASSWORD, "again": PASSWORD}
    assert client.post("/account/password", data=same).status_code == 400
    assert client.post("/account/password", data=changed).status_code == 303
    assert client.get("/").status_code == 200
    with world.ledger.read() as c:
        assert users.verify(c, "fresh", new) is not None


def test_changing_the_password_ends_other_sessions(site: Site) -> None:
    """A stolen session ends when its user changes the password; the present one goes on."""
    mine, stolen = site.session(Role.VIEWER), site.session(Role.VIEWER)
    new = "mật khẩu hoàn toàn mới"
    mine.post("/account/password", data={"present": PASSWORD, "new": new, "again": new})
    assert mine.get("/").status_code == 200
    assert stolen.get("/").status_code == 303


def test_a_token_is_shown_once_and_revoked_by_its_owner_only(site: Site, world: World) -> None:
    """Its text is on one page only; another viewer sees and revokes nothing, an admin may."""
    viewer, inspector, admin = (site.session(role) for role in (Role.VIEWER, Role.INSPECTOR, Role.ADMIN))
    made = viewer.post("/account/tokens", data={"note": "Grafana <b>", "role": "viewer"})
    assert made.status_code == 201
    found = re.search(r'id="new-token">([^<]+)<', made.text)
    assert found is not None
    text = found[1]
    assert "Grafana &lt;b&gt;" in made.text
    assert site.client({"authorization": f"Bearer {text}"}).get("/api/v1/machines").status_code == 200
    page = viewer.get("/account").text
    assert text not in page
    number = text.partition("-")[0]
    assert number in page
    assert number not in inspector.get("/account").text
    assert inspector.post("/account/tokens/revoke", data={"id": number}).status_code == 404
    assert number in admin.get("/account").text
    assert admin.post("/account/tokens/revoke", data={"id": number}).status_code == 303
    assert site.client({"authorization": f"Bearer {text}"}).get("/api/v1/machines").status_code == 401


def test_use_of_a_session_is_noted_at_most_once_a_minute(site: Site, world: World) -> None:
    """A session in use lives on past its idle time."""
    client = site.session(Role.VIEWER)
    for _ in range(4):
        world.clock.ms += 5 * 3_600_000
        assert client.get("/account").status_code == 200
    world.clock.ms += 13 * 3_600_000
    assert client.get("/account").status_code == 303


def test_bodies_are_limited_whatever_their_headers_say(site: Site) -> None:
    """A large body is refused at once, one sent in pieces as soon as it is too large."""
    client = site.client()
    assert client.post("/login", content=b"x" * (MAX_BODY + 1)).status_code == 413
    pieces = (b"x" * 10_000 for _ in range(20))
    answer = client.post(
        "/login", content=pieces, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code in {400, 413}


def test_every_answer_has_the_security_headers(site: Site, world: World) -> None:
    """Pages, API, errors, files and refusals alike."""
    world.add(1)
    client = site.session(Role.VIEWER)
    for path in (
        "/",
        "/login",
        "/nowhere",
        "/api/v1/machines",
        "/api/v1/nowhere",
        "/static/app.css",
        "/static/no",
    ):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
    assert client.post("/logout", headers={"origin": "null"}).headers["x-frame-options"] == "DENY"


def test_pages_are_not_kept_by_caches(site: Site, world: World) -> None:
    """After logging out, going back shows nothing."""
    agent = world.add(1)
    world.report(agent, usage(1.0))
    client = site.session(Role.VIEWER)
    until(lambda: agent in client.get("/machines").text)
    for path in ("/", "/machines", f"/machines/{agent}", "/api/v1/machines", "/account"):
        assert client.get(path).headers["cache-control"] == "no-store"
