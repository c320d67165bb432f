"""What happens in the demo, step by step; and in `play`, which stops after the first one."""

import contextlib
import io
import json as json_
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from upbridge.demo import compare, uphance_rules, upp_rules, way_back
from upbridge.demo.bound import Day, needed_calls
from upbridge.demo.compare import Finding, Origin, Problems
from upbridge.demo.outside import SHOP, Outside
from upbridge.demo.processes import Failed, House, free_port, free_range, house
from upbridge.demo.report import Report
from upbridge.demo.upp_rules import Json

CLOCK_FACTOR = 100.0
BURST = 20
IMPORT_SECONDS = 120.0
SETTLE_SECONDS = 60.0
QUIET = 1.5
WIDTH = 118
ELSEWHERE = 900_000
"""Ids of another shop's products are moved up by this, out of the way of the simulated shop's own."""
WINDOW = 1.0
FAULTS: Json = {"lose_share": 0.05, "double_share": 0.1, "late_share": 0.1, "late_seconds": 2.0, "reorder": True}


def run_demo(
    *,
    json: bool = False,
    keep: bool = False,
    picture: Path | None = None,
    captured: Path | None = None,
    products: int = 1200,
    orders: int = 400,
    changes: int = 500,
) -> int:
    """A first import, a day of changes and the safety net, proved; 0 only if all of it is as it should be.

    *picture*: also draw the report there, as SVG. *captured*: a folder with answers of real shops' APIs, whose
    products and orders join the simulated shop before the first import.
    """
    console = _console(stderr=json)
    directory = Path("var/demo").resolve() if keep else Path(tempfile.mkdtemp(prefix="upbridge-demo-"))
    if keep and directory.exists():
        shutil.rmtree(directory)
    report, good = Report(), False
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with house(directory, free_port()) as running, httpx.Client(trust_env=False, timeout=60) as client:
            _Demo(running, client, console, report, changes, captured).run(products, orders)
        good = not report.failures()
    except Failed as error:
        console.print(f"[bold red]✗[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 1
    finally:
        if good and not keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            console.print(f"logs and database: {directory}", highlight=False)
    if json:
        sys.stdout.write(json_.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n")
    else:
        report.show(console)
    if picture is not None:
        picture.write_text(_drawn(report))
    return 0 if good else 1


def run_play(*, products: int = 1200, orders: int = 400, port: int = 8900, web_port: int = 8000) -> int:
    """The same processes for a person: prints where the simulated administration is, runs until Ctrl-C."""
    console = _console()
    directory = Path("var/play").resolve()
    shutil.rmtree(directory, ignore_errors=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with house(directory, free_port(web_port)) as running:
            console.print("starting …")
            _start(running, port=free_range(port), products=products, orders=orders)
            _tell(running, console)
            told: set[str] = set()
            while True:
                for name in running.ended():
                    if name not in told:
                        told.add(name)
                        console.print(f"[red]{name} has ended.[/] Start it again by hand:", highlight=False)
                        again = f"  set -a; . {directory}/env; set +a; {running.again(name)}"
                        console.print(again, highlight=False, soft_wrap=True)
                time.sleep(0.5)
    except Failed as error:
        console.print(f"[bold red]✗[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 0


def _drawn(report: Report) -> str:
    """The report as SVG that fetches nothing: the reader's own monospaced font has to do."""
    drawing = Console(record=True, width=WIDTH, file=io.StringIO())
    report.show(drawing)
    return re.sub(r"\s*@font-face \{.*?\}", "", drawing.export_svg(title="make demo"), flags=re.DOTALL)


def _console(*, stderr: bool = False) -> Console:
    """A terminal's own width; elsewhere wide enough for the tables."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=WIDTH)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends us as Ctrl-C does: the children first."""
    raise KeyboardInterrupt


def _start(running: House, *, port: int, products: int, orders: int) -> None:
    """All processes at once; whichever of them comes first brings the database's schema to head."""
    running.start_sandbox(port=port, products=products, orders=orders, clock_factor=CLOCK_FACTOR)
    running.start("serve", "serve", "--host", "127.0.0.1", "--port", str(running.web_port))
    running.start("worker", "worker", "--port", str(running.web_port))
    running.wait_for_sandbox()
    running.wait_ready()


def _tell(running: House, console: Console) -> None:
    rows = [f"{name}={json_.dumps(value)}" for name, value in running.settings().items()]
    (running.directory / "env").write_text("\n".join(rows) + "\n")
    with httpx.Client(trust_env=False, timeout=60) as client:
        shop = Outside(client, running.addresses["admin"]).shop()
    upp, uphance = shop["credentials"]["upp"], shop["credentials"]["uphance"]
    console.print(f"\n[bold]The simulated Upgates administration: {running.addresses['admin']}[/]")
    console.print("There: Activate, Open, edit products and orders, watch them arrive.")
    console.print(f"The add-on: {running.web}")
    console.print(f"Connect Upp.ai with client id {upp['client_id']}, secret {upp['secret']}", highlight=False)
    console.print(f"Connect Uphance with {uphance['email']}, password {uphance['password']}", highlight=False)
    console.print(f"Logs and database: {running.directory}. Ctrl-C ends everything.", highlight=False)


@dataclass(slots=True)
class _Demo:
    """One run of the demo."""

    house: House
    client: httpx.Client
    console: Console
    report: Report
    changes: int
    captured: Path | None = None
    token: str = ""
    key: str = ""
    hook: str = ""
    organisation: int = 0
    activated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    connected: float = 0.0
    sizes: tuple[int, int] = (0, 0)
    staff: way_back.Day = field(default_factory=way_back.Day)

    @property
    def outside(self) -> Outside:
        return Outside(self.client, self.house.addresses["admin"])

    def run(self, products: int, orders: int) -> None:
        """All steps; what they find goes into the report."""
        with self._step("start"):
            self.house.watch_memory()
            _start(
                self.house, port=free_range(20_000 + 5 * secrets.randbelow(4000)), products=products, orders=orders
            )
            self._take_captured()
        with self._step("activate and connect"):
            self._activate()
            self._connect()
        with self._step("first import"):
            self._first_import()
        with self._step("changes"):
            self._day()
        with self._step("safety net"):
            self.house.run("shops", "reconcile", self.token, "--wait")
            self._until_quiet(SETTLE_SECONDS)
        with self._step("way back"):
            self._way_back()
        with self._step("compare"):
            self._compare()
        self.report.seconds["all"] = time.monotonic() - self.began
        self.report.memory, self.report.processor = self.house.megabytes(), self.house.cpu_seconds()

    def _take_captured(self) -> None:
        """What real shops once answered: PHP's dates, lower-case countries and nulls have to pass too."""
        for file in sorted(self.captured.glob("*.json")) if self.captured is not None else ():
            answer = json_.loads(file.read_text())
            for kind in ("products", "orders"):
                for entity in answer.get(kind, ()):
                    for thing in entity["products"] if kind == "orders" else [entity]:
                        thing["product_id"] = ELSEWHERE + (thing.get("product_id") or 0)
                    self.outside.call("POST", f"/shops/{SHOP}/{kind}", {"as_is": entity})
                    self.report.captured += 1

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self.console.print(f"[dim]{time.monotonic() - self.began:5.1f} s[/] {name} …", highlight=False)
        yield
        self.report.seconds[name] = round(time.monotonic() - started, 2)

    def _activate(self) -> None:
        self.activated_at = datetime.now(UTC)
        shop = self.outside.shop()
        self.token, self.organisation = shop["token"], shop["credentials"]["uphance"]["organisation"]
        answer = self.outside.call("POST", f"/shops/{SHOP}/activate")
        if not answer["activated"]:
            raise Failed(f"the activation failed: {answer}")

    def _show(self) -> Json:
        found = self.house.run("shops", "show", self.token, "--json")
        if not isinstance(found, dict):
            raise Failed("shops show --json printed no object")
        return found

    def _connect(self) -> None:
        """Both counterparts at once, Uphance with a setting before it, so that old orders go too."""
        self.connected = time.monotonic()
        credentials = self.outside.shop()["credentials"]
        upp, uphance = credentials["upp"], credentials["uphance"]
        early = (self.activated_at - timedelta(days=60)).isoformat(timespec="seconds")

        def connect_uphance() -> None:
            self.house.run("shops", "settings", self.token, f"uphance.orders_from={early}")
            self.house.run(
                *("shops", "connect", self.token, "uphance", "--email", uphance["email"]),
                *("--organisation", str(uphance["organisation"])),
                stdin=uphance["password"],
            )

        with ThreadPoolExecutor(2) as pool:
            second = pool.submit(connect_uphance)
            self.house.run(
                "shops", "connect", self.token, "upp", "--client-id", upp["client_id"], stdin=upp["secret"]
            )
            second.result()

    def _first_import(self) -> None:
        origin = self.outside.origin()
        self.sizes = (len(origin.products), len(origin.orders))
        expected = self._expected(origin)
        columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        ) as progress:
            tasks = {name: progress.add_task(name, total=total) for name, total in expected.items()}

            def watch() -> None:
                for name, count in self.outside.counts(self.organisation).items():
                    progress.update(tasks[name], completed=count)
                    if count >= expected[name] and name not in self.report.seconds:
                        self.report.seconds[name] = round(time.monotonic() - self.connected, 2)

            self._until_quiet(IMPORT_SECONDS, watch)

    def _judge_import(self, shown: Json) -> None:
        """Whether the first import knows itself that it has ended."""
        self.key, self.hook, imports = shown["key"], shown["uphance_webhook_url"], shown.get("imports", {})
        unfinished = [kind for kind, row in imports.items() if row["state"] != "done"]
        if unfinished or not imports:
            raise Failed(f"the first import has not ended: {imports}")

    def _expected(self, origin: Origin) -> dict[str, int]:
        catalogue = self._catalogue()
        drafts = [
            order
            for order in origin.orders.values()
            if uphance_rules.sendable(order)
            and isinstance(uphance_rules.sales_order(order, catalogue), uphance_rules.Draft)
        ]
        documents = [
            (key, document)
            for product in origin.products
            for key, document in upp_rules.product_documents(product).items()
            if document is not None
        ]
        return {
            "products → Upp.ai": len({str(document["sku"]).lower() for _, document in documents}),
            "orders → Upp.ai": sum(upp_rules.order_wanted(order) for order in origin.orders.values()),
            "orders → Uphance": len(drafts),
        }

    def _catalogue(self) -> uphance_rules.Catalogue:
        state = self.outside.call("GET", "/state")["uphance"]["organisations"]
        channels = next(item["channels"] for item in state if item["id"] == self.organisation)
        return uphance_rules.Catalogue(self.outside.uphance(self.organisation, "products"), channels)

    def _day(self) -> None:
        self.outside.call("PUT", f"/shops/{SHOP}/webhooks", FAULTS)
        with ThreadPoolExecutor(1) as pool:
            shown = pool.submit(self._show)
            self.report.changes = self._change()
            self._judge_import(shown.result())
        self._until_quiet(SETTLE_SECONDS)
        lost = self.outside.call("GET", f"/shops/{SHOP}/deliveries")["lost"]
        self._judge_late({row["id"] for row in lost})
        clear = {"lose_share": 0.0, "double_share": 0.0, "late_share": 0.0, "reorder": False}
        self.outside.call("PUT", f"/shops/{SHOP}/webhooks", clear)

    def _change(self) -> dict[str, int]:
        """The day's changes in bursts; how many of each kind."""
        done: dict[str, int] = {}
        for start in range(0, self.changes, BURST):
            body = {"changes": min(BURST, self.changes - start), "seed": 100 + start}
            for name, count in self.outside.call("POST", f"/shops/{SHOP}/mutate", body)["done"].items():
                done[name] = done.get(name, 0) + count
            self.house.check()
            time.sleep(0.1)
        return done

    def _judge_late(self, lost: set[str]) -> None:
        """What was announced and is still not right before the safety net ran."""
        origin = self.outside.origin()
        parents = {
            key: str(product["product_id"])
            for product in [*origin.products, *origin.deleted_products]
            for key in upp_rules.product_ids(product)
        }
        for verdict in self._verdicts(origin, self._problems()):
            for finding in verdict.findings:
                entity = parents.get(finding.entity, finding.entity)
                if entity not in lost and finding.entity.replace("-", "") not in lost:
                    self.report.late.append(Finding(verdict.flow, "late", finding.entity, finding.detail))

    def _verdicts(self, origin: Origin, problems: Problems) -> list[compare.Verdict]:
        catalogue = self._catalogue()
        drafts = self.outside.uphance(self.organisation, "orders")
        customers = self.outside.uphance(self.organisation, "customers")
        return [
            compare.upp_products(origin, self.outside.upp("products"), problems),
            compare.upp_orders(origin, self.outside.upp("orders")),
            compare.uphance_orders(origin, drafts, catalogue, problems, self.key),
            compare.uphance_customers(origin, drafts, customers, self.key),
        ]

    def _problems(self) -> Problems:
        rows = self.house.run("problems", "list", "--json")
        return Problems(rows if isinstance(rows, list) else [])

    def _compare(self) -> None:
        origin, report = self.outside.origin(), self.report
        problems = self._problems()
        report.verdicts = [
            *self._verdicts(origin, problems),
            way_back.stock(self.outside, self.organisation, origin, self.key, self._catalogue()),
            way_back.shipments(self.outside, origin, self.staff),
        ]
        report.problems = len(problems.rows)
        report.strange_problems = problems.others(compare.expected_problems(origin, self._catalogue(), self.key))
        report.webhooks = self.outside.call("GET", f"/shops/{SHOP}/timings")
        report.violations = self.outside.call("GET", "/violations")["violations"]
        deliveries = self.outside.call("GET", f"/shops/{SHOP}/deliveries")
        since = self.activated_at.replace(microsecond=0)
        changed = tuple(
            sum(datetime.fromisoformat(row["last_update_time"]) >= since for row in rows)
            for rows in (origin.products, origin.orders.values())
        )
        report.bound = needed_calls(
            self.outside.call("GET", "/calls/log")["calls"],
            deliveries["deliveries"],
            Day(
                *self.sizes,
                changed=(changed[0], changed[1]),
                lost_deletes=any(row["event"] == "Products.delete" for row in deliveries["lost"]),
                tickets=len(self.staff.shipped) + len(self.staff.partly),
                window=WINDOW,
            ),
        )

    def _way_back(self) -> None:
        """Staff pack, ship and count in Uphance, and the shop follows."""
        self.outside.call("POST", f"/uphance/{self.organisation}/webhook", {"url": self.hook})
        with ThreadPoolExecutor(1) as pool:
            switched = pool.submit(self.house.run, "shops", "settings", self.token, "stock.write=true")
            self.staff = way_back.staff_at_work(self.outside, self.organisation, self.outside.origin(), self.key)
            switched.result()
        self._until_quiet(SETTLE_SECONDS)

    def _until_quiet(self, seconds: float, watch: Callable[[], None] | None = None) -> None:
        """Until nothing moves any more: no announcement waits, no change, and the outbox stands still.

        It need not be empty: documents of orders that need a person stay in it.
        """
        deadline, quiet_since, before = time.monotonic() + seconds, time.monotonic(), None
        while time.monotonic() < deadline:
            self.house.check()
            if watch is not None:
                watch()
            picture = self._picture()
            if picture != before or picture["announcements"] or picture["changes"]:
                quiet_since, before = time.monotonic(), picture
            elif time.monotonic() - quiet_since >= QUIET:
                return
            time.sleep(0.25)
        raise Failed(f"after {seconds:.0f} seconds there is still work: {before}")

    def _picture(self) -> dict[str, int]:
        """What waits, and how much has arrived."""
        text = self.client.get(f"{self.house.web}/metrics").text
        timings = self.outside.call("GET", f"/shops/{SHOP}/timings")
        return {
            "announcements": timings["pending"],
            "changes": _gauge(text, "upbridge_changes_pending"),
            "documents": _gauge(text, "upbridge_outbox_pending"),
            "delivered": self.outside.writes(),
        }


def _gauge(text: str, name: str) -> int:
    """The sum of a metric over its labels."""
    total: Any = 0
    for line in text.splitlines():
        if line.startswith((f"{name}{{", f"{name} ")):
            total += float(line.rpartition(" ")[2])
    return int(total)
