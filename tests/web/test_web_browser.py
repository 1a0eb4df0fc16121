"""The pages in a real browser: live without a reload, both languages, nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from hatang_agent.wire.messages import Farewell
from hatang_agent.wire.report import Sample
from hatang_collector.ledger import users
from hatang_collector.ledger.users import Role
from hatang_collector.web import static_files
from hatang_collector.web.security import SESSION_COOKIE
from web.webkit import OS_FACT, PASSWORD, START_MS, Site, World, traffic, usage

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOSTILE = (
    "<script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    '"><svg onload="document.title=\'taken\'">',
    "{{ 7 * 7 }}",
    "\u202egnp.exe\u202c مكتب",
    "💻🧨 " + "dài" * 60,
)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One headless browser for the module."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(chromium), args=list(FLAGS))
        yield opened
        opened.close()


class Watched:
    """A page with everything it said and asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.hosts: set[str] = set()
        self.loads = 0
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        page.on("load", lambda _: self._count())

    def _count(self) -> None:
        self.loads += 1


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh page; at the end it must have been silent and have stayed on this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = Watched(context.new_page())
    found.page.set_default_timeout(15_000)
    yield found
    context.close()
    assert found.said == []
    assert found.hosts <= {"127.0.0.1"}


def log_in(watched: Watched, site: Site, role: Role = Role.VIEWER) -> None:
    """Give the page a session without typing."""
    with site.world.ledger.write() as c:
        text = users.open_session(c, str(role), site.world.clock())
    watched.page.context.add_cookies([{"name": SESSION_COOKIE, "value": text, "url": site.url}])


def test_from_login_to_a_new_value_without_a_reload(watched: Watched, site: Site, world: World) -> None:
    """Log in, see the machine, see its next value arrive by itself, switch to English, log out."""
    agent = world.add(1, "Máy kế toán 1")
    world.connect(agent)
    world.report(agent, usage(12.0))
    world.report(agent, traffic(1_250_000.0, 84_000.0), probe="interfaces")
    world.report(agent, (Sample("system.uptime_s", 90_000, "s"),), probe="system", facts=(OS_FACT,))
    page = watched.page
    page.goto(f"{site.url}/machines")
    page.get_by_label("Tên đăng nhập").fill("viewer")
    page.get_by_label("Mật khẩu").fill(PASSWORD)
    page.get_by_role("button", name="Đăng nhập").click()
    card = page.locator(f"#m-{agent}")
    expect(card).to_contain_text("Máy kế toán 1")
    expect(card.locator(".state")).to_have_text("Thông suốt")
    expect(card.locator(".dot")).to_have_text("●")
    expect(card.locator('[data-value="cpu"]')).to_have_text("12%")
    expect(card.locator('[data-value="rx"]')).to_have_text("1,2 Mbit/s")
    world.clock.ms += 6_000  # the ledger is read again every few seconds
    expect(card).to_contain_text("Windows 10 Pro 10.0.19045")
    expect(card.locator("svg.spark")).to_have_count(4)
    loads = watched.loads
    world.clock.ms += 5_000
    world.report(agent, usage(77.0))
    expect(card.locator('[data-value="cpu"]')).to_have_text("77%")
    expect(card.locator("svg.spark")).to_have_count(4)
    assert watched.loads == loads
    page.get_by_role("button", name="English").click()
    expect(page.locator(f"#m-{agent} .state")).to_have_text("Up")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(f"#m-{agent} time")).to_have_text(re.compile(r"ago|just now"))
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_states_tiles_and_order_follow_by_themselves(watched: Watched, site: Site, world: World) -> None:
    """A goodbye, silence and a new machine change card, tiles and order without a reload."""
    first, second = world.add(1, "A"), world.add(2, "B")
    for agent in (first, second):
        world.connect(agent)
        world.report(agent, usage(1.0))
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/machines")
    cards = page.locator("#cards > article h2")
    expect(cards).to_have_text(["A", "B"])
    loads = watched.loads
    world.leave(second, Farewell.SHUTDOWN)
    expect(page.locator(f"#m-{second} .state")).to_have_text("Đã tắt đúng quy trình")
    expect(page.locator(f"#m-{second} .dot")).to_have_text("■")
    expect(cards).to_have_text(["B", "A"])
    world.clock.ms += 400_000
    expect(page.locator(f"#m-{first} .state")).to_have_text("Im lặng")
    expect(page.locator(".tile.silent b")).to_have_text("1")
    expect(cards).to_have_text(["A", "B"])
    third = world.add(3, "C")
    world.report(third, usage(3.0))
    expect(page.locator(f"#m-{third}")).to_be_visible()
    expect(cards).to_have_text(["A", "B", "C"])
    assert watched.loads == loads


def test_the_empty_board_says_how_to_begin_and_fills_itself(
    watched: Watched, site: Site, world: World
) -> None:
    """Commands with this very address; the first machine takes their place."""
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/machines")
    expect(page.locator("#empty")).to_contain_text(f"hatang-agent enroll --url {site.url} --token")
    agent = world.add(1, "Máy đầu tiên")
    world.report(agent, usage(5.0))
    expect(page.locator(f"#m-{agent}")).to_be_visible()
    expect(page.locator("#empty")).to_have_count(0)


def test_after_a_restart_of_the_server_the_page_loads_itself_again(
    watched: Watched, site: Site, world: World
) -> None:
    """A page of a former process does not wait for changes that never come."""
    agent = world.add(1, "Máy 1")
    world.report(agent, usage(12.0))
    log_in(watched, site)
    page = watched.page
    stale = ["00000000-5"]

    def with_an_old_mark(route: Route) -> None:
        answer = route.fetch()
        body = answer.text()
        if stale:
            body = re.sub(r'data-mark="[^"]+"', f'data-mark="{stale.pop()}"', body)
        route.fulfill(response=answer, body=body)

    page.route(f"{site.url}/machines", with_an_old_mark)
    page.goto(f"{site.url}/machines")
    expect(page.locator("body")).to_have_attribute("data-mark", re.compile("^(?!00000000)"), timeout=15_000)
    expect(page.locator(f"#m-{agent}")).to_be_visible()
    page.wait_for_load_state("load")
    assert watched.loads == 2


def test_a_filtered_page_follows_its_own_machines_only(watched: Watched, site: Site, world: World) -> None:
    """What the filter left out does not appear, what it shows goes on changing, tiles count all."""
    shown, hidden = world.add(1, "Kế toán"), world.add(2, "Văn thư")
    for agent in (shown, hidden):
        world.report(agent, usage(1.0))
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/machines?q=ke+toan")
    expect(page.locator("#cards > article")).to_have_count(1)
    third = world.add(3, "Kế toán 3")
    world.report(third, usage(3.0))
    world.report(shown, usage(42.0))
    expect(page.locator(f'#m-{shown} [data-value="cpu"]')).to_have_text("42%")
    expect(page.locator(".tile.up b")).to_have_text("3")
    expect(page.locator("#cards > article")).to_have_count(1)


def test_without_a_stream_the_page_asks_and_says_so(watched: Watched, site: Site, world: World) -> None:
    """A proxy that swallows streams: the page is told not to be live, and still follows."""
    agent = world.add(1, "Máy 1")
    world.report(agent, usage(12.0))
    log_in(watched, site)
    page = watched.page
    page.route(
        "**/board/events*", lambda route: route.fulfill(status=200, content_type="text/html", body="no")
    )
    page.add_init_script("const set = setInterval; window.setInterval = (f, ms) => set(f, Math.min(ms, 300))")
    page.goto(f"{site.url}/machines")
    note = page.locator("#not-live")
    expect(note).to_contain_text("không cập nhật trực tiếp")
    loads = watched.loads
    world.clock.ms += 1_000
    world.report(agent, usage(55.0))
    expect(page.locator(f'#m-{agent} [data-value="cpu"]')).to_have_text("55%")
    expect(note).to_be_visible()
    page.unroute("**/board/events*")
    expect(note).to_be_hidden()
    assert watched.loads == loads
    watched.said = [said for said in watched.said if "EventSource" not in said]


def test_a_lost_server_is_told(watched: Watched, site: Site, world: World) -> None:
    """When nothing answers, the page says that its figures are old."""
    agent = world.add(1, "Máy 1")
    world.report(agent, usage(12.0))
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/machines")
    expect(page.locator(f"#m-{agent}")).to_be_visible()
    page.route("**/board/*", lambda route: route.abort())
    site.app.state.feed.close()
    expect(page.locator("#not-live")).to_contain_text("Mất liên lạc với máy chủ")
    watched.said = [said for said in watched.said if "ERR_" not in said]


def test_hostile_labels_are_only_text(watched: Watched, site: Site, world: World) -> None:
    """Labels from outside never run, never reorder what is around them, never widen the page."""
    agents = [
        world.add(number, label, asset_code=label[:20], group=label) for number, label in enumerate(HOSTILE)
    ]
    log_in(watched, site)
    page = watched.page
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(f"{site.url}/machines")
    for agent, label in zip(agents, HOSTILE, strict=True):
        world.report(agent, usage(1.0))
        expect(page.locator(f'#m-{agent} [data-value="cpu"]')).to_have_text("1,0%")
        assert page.locator(f"#m-{agent} h2 bdi").inner_text().strip() == label.strip()
    assert "taken" not in page.title()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.goto(f"{site.url}/machines/{agents[0]}")
    expect(page.locator("h1")).to_have_text(HOSTILE[0])
    assert page.title().startswith(HOSTILE[0])
    page.goto(f"{site.url}/machines?q=" + "%3Cscript%3Edocument.title%3D'taken'%3C/script%3E")
    assert "taken" not in page.title()


def test_the_machines_page_follows_and_keeps_its_range(watched: Watched, site: Site, world: World) -> None:
    """Charts, facts and runs are there; a new value comes by itself; the range switch works."""
    agent = world.add(1, "Máy 1")
    world.connect(agent)
    for minute in range(20):
        at_ms = START_MS - (20 - minute) * 60_000
        world.report(agent, usage(10.0 + minute), at_ms=at_ms)
        world.report(agent, traffic(1e6, 1e5), probe="interfaces", at_ms=at_ms)
    world.report(agent, (), probe="system", facts=(OS_FACT,))
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/machines/{agent}")
    expect(page.locator("svg.chart")).to_have_count(5)
    expect(page.get_by_role("img", name="Bộ xử lý, 1 giờ")).to_be_visible()
    expect(page.get_by_role("heading", name="Hệ điều hành")).to_be_visible()
    page.locator("#values summary").click()
    loads = watched.loads
    world.report(agent, usage(88.0))
    expect(page.locator("#values")).to_contain_text("88%")
    expect(page.locator("#values")).to_have_attribute("open", "")
    assert watched.loads == loads
    page.get_by_role("link", name="24 giờ").click()
    expect(page.get_by_role("img", name="Bộ xử lý, 24 giờ")).to_be_visible()


def test_every_control_has_a_name_and_headings_are_in_order(
    watched: Watched, site: Site, world: World
) -> None:
    """What a screen reader meets: named controls, pictures with text, one first heading, a language."""
    agent = world.add(1, "Máy 1")
    world.report(agent, usage(12.0))
    log_in(watched, site, Role.ADMIN)
    page = watched.page
    nameless = """() => Array.from(document.querySelectorAll('a,button,input:not([type=hidden]),select,svg'))
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)))
        .map(e => e.outerHTML)"""
    paths = ("/", "/machines", f"/machines/{agent}", "/account", "/account/password", "/login", "/api/docs")
    for path in paths:
        page.goto(f"{site.url}{path}")
        assert page.evaluate(nameless) == []
        assert page.locator("h1").count() == 1
        assert page.locator("html").get_attribute("lang") == "vi"


@pytest.mark.parametrize("script", sorted(path.name for path in static_files.FOLDER.glob("*.js")))
def test_scripts_are_understood_by_old_browsers(script: str) -> None:
    """Nothing newer than ES2017: no optional chaining, no nullish operators, no object spread, no modules."""
    text = re.sub(r"//[^\n]*", "", (static_files.FOLDER / script).read_text(encoding="utf-8"))
    for newer in (
        r"\?\.[a-zA-Z\[(]",
        r"\?\?",
        r"\.\.\.",
        r"\bimport\b",
        r"\bexport\b",
        r"catch\s*\{",
        r"#[a-z]+\s*=",
        r"\.replaceAll\(",
        r"\.flatMap\(",
    ):
        assert not re.search(newer, text), newer


def test_pages_are_small(site: Site, world: World) -> None:
    """A first visit to a board of 60 machines is under 40 KB on the wire; later ones bring the page only."""
    for number in range(60):
        agent = world.add(number, f"Máy một cửa {number}")
        world.report(agent, usage(float(number)), live_only=True)
    client = site.session(Role.VIEWER)

    def wire(path: str) -> int:
        with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
            return sum(len(part) for part in answer.iter_raw())

    page = client.get("/machines").text
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(files) == 4
    sizes = {path: wire(path) for path in ["/machines", *files]}
    assert sum(sizes.values()) < 40_000, sizes
    for path in files:
        answer = client.get(path)
        assert "immutable" in answer.headers["cache-control"]
        again = client.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert "immutable" not in client.get("/static/app.css?v=other").headers["cache-control"]
    assert client.get("/static/../app.py").status_code == 404
