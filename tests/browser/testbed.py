"""The testbed: simulated systems, web and worker as processes, and Debian's Chromium that blocks foreign cookies.

The admin is visited as `localhost`, the add-on's frame is `127.0.0.1`: two sites, so that everything in the frame
is a third party to the browser, as it is in the real admin.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from playwright.sync_api import BrowserContext, FrameLocator, Page, sync_playwright

from upbridge.core.i18n import Texts, keys
from upbridge_sandbox.demo.processes import Processes, free_port, free_range, running_processes

SHOP = "demo"
PLACES = ("", "orders", "problems", "products", "find", "connections", "rules", "history", "usage")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_BLOCKING = "--test-third-party-cookie-phaseout"


@dataclass(frozen=True, slots=True)
class Testbed:
    """Everything that runs."""

    __test__ = False  # pytest takes a class of such a name for tests

    processes: Processes

    @property
    def admin(self) -> str:
        """The simulated administration, on another site than the add-on."""
        return self.processes.addresses["admin"].replace("127.0.0.1", "localhost")

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the simulated systems' control API."""
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.request(
                method, f"{self.processes.addresses['admin']}/control{path}", json=body or {}
            ).raise_for_status()
        return answer.json()

    def credentials(self, shop: str = SHOP) -> dict[str, dict[str, Any]]:
        """How to connect the counterparts of *shop*."""
        found: dict[str, dict[str, Any]] = self.control("GET", f"/shops/{shop}")["credentials"]
        return found

    def token(self, shop: str = SHOP) -> str:
        """What the shop is called in the signed calls."""
        return str(self.control("GET", f"/shops/{shop}")["token"])


@contextlib.contextmanager
def open_testbed(
    directory: Path,
    *,
    database_url: str | None = None,
    encryption_key: str = "",
    products: int = 30,
    orders: int = 20,
) -> Iterator[Testbed]:
    """The testbed is up as long as the block lasts; without a *database_url* it brings a Postgres of its own."""
    with running_processes(directory, free_port()) as built:
        built.start_sandbox(
            port=free_range(20_000 + 6 * secrets.randbelow(4000)),
            products=products,
            orders=orders,
            clock_factor=20,
        )
        foreign = built.addresses["admin"].replace("127.0.0.1", "localhost")
        built.environment["UPBRIDGE_FRAME_ANCESTORS"] = f"{built.addresses['admin']},{foreign}"
        built.environment["UPBRIDGE_SUPPORT_EMAIL"] = "help@upbridge.example"
        built.environment["UPBRIDGE_SUPPORT_PHONE"] = "+420 123 456 789"
        if database_url is not None:
            built.environment["UPBRIDGE_DATABASE_URL"] = database_url
            built.environment["UPBRIDGE_ENCRYPTION_KEYS"] = encryption_key
        built.start("up", "up", "--port", str(built.web_port))
        built.wait_for_sandbox()
        built.wait_ready()
        yield Testbed(built)


@contextlib.contextmanager
def chromium(
    profile: Path, *, width: int = 1280, height: int = 800, blocking: bool = True, scripts: bool = True
) -> Iterator[BrowserContext]:
    """A fresh Chromium that gives third parties no cookies (`test_cookies` proves it). Fails where there is none.

    *scripts*: whether pages may run any.
    """
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        raise AssertionError("the browser tests need Chromium; on Debian: apt install chromium")
    (profile / "Default").mkdir(parents=True)
    blocked = {"profile": {"block_third_party_cookies": blocking, "cookie_controls_mode": int(blocking)}}
    (profile / "Default" / "Preferences").write_text(json.dumps(blocked))
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=program,
            headless=True,
            args=[*_ARGUMENTS, *([_BLOCKING] if blocking else [])],
            java_script_enabled=scripts,
            viewport={"width": width, "height": height},
        )
        context.set_default_timeout(60_000)
        try:
            yield context
        finally:
            context.close()


# --- what a person does -------------------------------------------------------------------------------------


def open_addon(page: Page, testbed_: Testbed, shop: str = SHOP) -> FrameLocator:
    """Activate the add-on if it is not, open it, return its frame."""
    page.goto(f"{testbed_.admin}/shops/{shop}")
    if not page.get_by_role("button", name="Open", exact=True).count():
        page.get_by_role("button", name="Activate").click()
    page.get_by_role("button", name="Open", exact=True).click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", level=1).wait_for()
    return frame


def address_of(page: Page) -> str:
    """The address of the session in the page's frame: the start page's."""
    path = next(frame.url for frame in page.frames if "/ui/s/" in frame.url)
    head, _, rest = path.partition("/ui/s/")
    return f"{head}/ui/s/{rest.partition('/')[0]}/"


def connect(frame: FrameLocator, testbed_: Testbed, shop: str = SHOP) -> None:
    """Connect both systems on the Connections page, in English."""
    known = testbed_.credentials(shop)
    go(frame, "Connections")
    frame.get_by_label("Client ID").fill(known["upp"]["client_id"])
    frame.get_by_label("Client secret").fill(known["upp"]["secret"])
    frame.locator("form[action$='connections/upp'] button").click()
    frame.get_by_role("status").wait_for()
    uphance = known["uphance"]
    frame.get_by_label("E-mail").fill(uphance["email"])
    frame.get_by_label("Password").fill(uphance["password"])
    frame.locator("form[action$='connections/uphance'] button").click()
    frame.get_by_label("Organisation").select_option(str(uphance["organisation"]))
    frame.locator("form[action$='connections/uphance'] button").click()
    frame.locator("[role=status]", has_text="Uphance").wait_for()


def go(frame: FrameLocator, name: str) -> None:
    """To a page of the navigation."""
    # The number of problems may stand beside the name.
    link = re.compile(rf"^{re.escape(name)}( [\d,]+)?$")
    frame.get_by_role("navigation").get_by_role("link", name=link).click()
    frame.locator("nav a[aria-current=page]", has_text=name).wait_for()


def until(look: Callable[[], bool], page: Page, *, seconds: float = 120) -> None:
    """Look again and again, as a person reloads, until it is so."""
    for _ in range(int(seconds * 4)):
        if look():
            return
        page.wait_for_timeout(250)
    shown = "\n".join(frame.locator("body").inner_text() for frame in page.frames)
    raise AssertionError(f"it did not come to that; {page.url} shows:\n{shown}")


# --- the same without a browser -----------------------------------------------------------------------------


def enter(client: httpx.Client, testbed_: Testbed, shop: str) -> str:
    """Activate the add-on and open it; returns the address of the start page."""
    testbed_.control("POST", f"/shops/{shop}/activate")
    ticket = testbed_.control("POST", f"/shops/{shop}/open")["answer"]["url"]
    return str(httpx.URL(ticket).join(client.get(ticket).headers["location"]))


def connect_by_form(client: httpx.Client, home: str, testbed_: Testbed, shop: str) -> None:
    """Connect both systems as their forms do."""
    known = testbed_.credentials(shop)
    upp = {"client_id": known["upp"]["client_id"], "client_secret": known["upp"]["secret"]}
    uphance = {**known["uphance"], "organisation": str(known["uphance"]["organisation"])}
    for system, form in (("upp", upp), ("uphance", uphance)):
        answer = client.post(f"{home}connections/{system}", data=form)
        assert f"connected_{system}" in answer.headers.get("location", ""), answer.text


def settled(page: str) -> bool:
    """Whether the first page *page*, in English, says that all was imported and nothing moves."""
    imported = f'id="step-imported">{Texts("en").get("ui.step_state.done")}<' in page
    return imported and 'data-pause="15"' in page and 'id="nothing-waits"' in page


def wait_until(look: Callable[[], bool], *, seconds: float = 120) -> None:
    """Look again and again until it is so."""
    for _ in range(int(seconds * 4)):
        if look():
            return
        time.sleep(0.25)
    raise AssertionError("it did not come to that")


# --- what cannot be waited for ------------------------------------------------------------------------------

#: Deliveries of thirty days, of which each took as long as orders do: mostly seconds, some minutes after a burst.
_MONTH = """
    INSERT INTO order_events (shop_id, order_number, at, event, target, detail, since)
    SELECT id, 'earlier-' || day || '-' || n, at, 'delivered', target, '', at - took * interval '1 second'
    FROM shops, generate_series(1, 29) AS day, generate_series(1, 12 + (day * 7) %% 23) AS n,
      unnest(ARRAY['upp', 'uphance']) AS target,
      LATERAL (SELECT now() - day * interval '1 day' AS at) moment,
      LATERAL (SELECT 9 + (n * 5 + day * 3) %% 17 + CASE WHEN n %% 11 = 0 THEN 20 + (day * 13) %% 40 ELSE 0 END
               + CASE target WHEN 'uphance' THEN 6 ELSE 0 END AS took) span
    WHERE token = %(token)s
"""
_DAY = """
    INSERT INTO api_calls (shop_id, hour, access, purpose, count)
    SELECT id, date_trunc('hour', now()) - back * interval '1 hour', 'earlier', purpose,
      1 + (weight * (24 - abs(back - 9)) / 24 + (back * weight) %% 3)
    FROM shops, generate_series(1, 23) AS back,
      (VALUES ('orders', 9), ('stock', 7), ('products', 5), ('safety', 1)) AS kinds (purpose, weight)
    WHERE token = %(token)s
"""
#: A problem of every cause, of some more than a page lists one by one.
_PROBLEMS = """
    INSERT INTO problems (shop_id, stage, key, target, kind, entity, parent, message)
    SELECT s.id, 'push', cause, 'uphance', 'order', 'M-' || n, 'M-' || n, 'made up'
    FROM shops s, unnest(%(causes)s::text[]) WITH ORDINALITY AS one (cause, place),
      generate_series(1, CASE place WHEN 2 THEN 25 ELSE 1 + place %% 2 END) AS n
    WHERE s.token = %(token)s
"""


def made_up_past(connection: psycopg.Connection[Any], token: str) -> None:
    """Give a shop a month behind it: what it delivered, and the calls of its last day."""
    for past in (_MONTH, _DAY):
        connection.execute(past.encode(), {"token": token})


def made_up_problems(connection: psycopg.Connection[Any], token: str) -> None:
    """Give a shop problems of every cause that has a name."""
    causes = sorted(key.removeprefix("problem.") for key in keys("en") if key.startswith("problem."))
    connection.execute(_PROBLEMS.encode(), {"causes": causes, "token": token})
