"""What happens in the demo, step by step."""

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
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from upbridge_sandbox.demo import compare, uphance_rules, upp_rules, writeback_checks
from upbridge_sandbox.demo.call_bound import Day, needed_calls
from upbridge_sandbox.demo.compare import Finding, Origin, Problems
from upbridge_sandbox.demo.processes import Failed, House, free_port, free_range, house
from upbridge_sandbox.demo.report import Report
from upbridge_sandbox.demo.sandbox_client import SHOP, SandboxClient
from upbridge_sandbox.demo.setup import WIDTH, interrupt, make_console, start_all
from upbridge_sandbox.demo.upp_rules import Json

CHANGES = 500
BURST = 20
QUIET = 1.5
STANDSTILL = 60.0
"""Seconds: a slow machine may take its time, but something has to move."""
LONGEST = 900.0
ELSEWHERE = 900_000
"""Ids of another shop's products are moved up by this, out of the way of the simulated shop's own."""
WINDOW = 1.0
FAULTS: Json = {"lose_share": 0.05, "double_share": 0.1, "late_share": 0.1, "late_seconds": 2.0, "reorder": True}


def run_demo(*, json: bool = False, picture: Path | None = None, captured: Path | None = None) -> int:
    """A first import, a day of changes and the safety net, proved; 0 only if all of it is as it should be.

    *picture*: also draw the report there, as SVG. *captured*: a folder with answers of real shops' APIs, whose
    products and orders join the simulated shop before the first import.
    """
    console = make_console(stderr=json)
    directory = Path(tempfile.mkdtemp(prefix="upbridge-demo-"))
    report, good = Report(), False
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with house(directory, free_port()) as running, httpx.Client(trust_env=False, timeout=60) as client:
            _Demo(running, client, console, report, captured).run()
        good = not report.failures()
    except Failed as error:
        console.print(f"[bold red]✗[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 1
    finally:
        if good:
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


def _drawn(report: Report) -> str:
    """The report as SVG that fetches nothing: the reader's own monospaced font has to do."""
    drawing = Console(record=True, width=WIDTH, file=io.StringIO())
    report.show(drawing)
    return re.sub(r"\s*@font-face \{.*?\}", "", drawing.export_svg(title="make demo"), flags=re.DOTALL)


@dataclass(slots=True)
class _Demo:
    """One run of the demo."""

    house: House
    client: httpx.Client
    console: Console
    report: Report
    captured: Path | None = None
    token: str = ""
    key: str = ""
    hook: str = ""
    organisation: int = 0
    activated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    connected: float = 0.0
    sizes: tuple[int, int] = (0, 0)
    staff: writeback_checks.Day = field(default_factory=writeback_checks.Day)

    @property
    def sandbox(self) -> SandboxClient:
        return SandboxClient(self.client, self.house.addresses["admin"])

    def run(self) -> None:
        """All steps; what they find goes into the report."""
        with self._step("start"):
            self.house.watch_memory()
            start_all(self.house, port=free_range(20_000 + 5 * secrets.randbelow(4000)))
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
            self._until_quiet()
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
                    self.sandbox.call("POST", f"/shops/{SHOP}/{kind}", {"as_is": entity})
                    self.report.captured += 1

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self.console.print(f"[dim]{time.monotonic() - self.began:5.1f} s[/] {name} …", highlight=False)
        yield
        self.report.seconds[name] = round(time.monotonic() - started, 2)

    def _activate(self) -> None:
        self.activated_at = datetime.now(UTC)
        shop = self.sandbox.shop()
        self.token, self.organisation = shop["token"], shop["credentials"]["uphance"]["organisation"]
        answer = self.sandbox.call("POST", f"/shops/{SHOP}/activate")
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
        credentials = self.sandbox.shop()["credentials"]
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
        origin = self.sandbox.origin()
        self.sizes = (len(origin.products), len(origin.orders))
        expected = self._expected(origin)
        columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        ) as progress:
            tasks = {name: progress.add_task(name, total=total) for name, total in expected.items()}

            def show(arrived: dict[str, int]) -> None:
                for name, task in tasks.items():
                    progress.update(task, completed=arrived[name])

            watch = self._timed(
                lambda: self.sandbox.arrived(self.organisation), {}, since=self.connected, show=show
            )
            self._until_quiet(watch)

    def _timed(
        self,
        count: Callable[[], dict[str, int]],
        before: dict[str, int],
        *,
        since: float,
        show: Callable[[dict[str, int]], None] = lambda _: None,
    ) -> Callable[[], None]:
        """What to do again and again while flows run: each flow's seconds are those of its last arrival."""
        seen = dict(before)

        def watch() -> None:
            now = count()
            for flow, number in now.items():
                if number != seen.get(flow, 0):
                    seen[flow] = number
                    self.report.seconds[flow] = round(time.monotonic() - since, 2)
            show(now)

        return watch

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
        state = self.sandbox.call("GET", "/state")["uphance"]["organisations"]
        channels = next(item["channels"] for item in state if item["id"] == self.organisation)
        return uphance_rules.Catalogue(self.sandbox.uphance(self.organisation, "products"), channels)

    def _day(self) -> None:
        self.sandbox.call("PUT", f"/shops/{SHOP}/webhooks", FAULTS)
        with ThreadPoolExecutor(1) as pool:
            shown = pool.submit(self._show)
            self.report.changes = self._change()
            self._judge_import(shown.result())
        self._until_quiet()
        lost = self.sandbox.call("GET", f"/shops/{SHOP}/deliveries")["lost"]
        self._judge_late({row["id"] for row in lost})
        clear = {"lose_share": 0.0, "double_share": 0.0, "late_share": 0.0, "reorder": False}
        self.sandbox.call("PUT", f"/shops/{SHOP}/webhooks", clear)

    def _change(self) -> dict[str, int]:
        """The day's changes in bursts; how many of each kind."""
        done: dict[str, int] = {}
        for start in range(0, CHANGES, BURST):
            body = {"changes": min(BURST, CHANGES - start), "seed": 100 + start}
            for name, count in self.sandbox.call("POST", f"/shops/{SHOP}/mutate", body)["done"].items():
                done[name] = done.get(name, 0) + count
            self.house.check()
            time.sleep(0.1)
        return done

    def _judge_late(self, lost: set[str]) -> None:
        """What was announced and is still not right before the safety net ran."""
        origin = self.sandbox.origin()
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
        drafts = self.sandbox.uphance(self.organisation, "orders")
        customers = self.sandbox.uphance(self.organisation, "customers")
        return [
            compare.upp_products(origin, self.sandbox.upp("products"), problems),
            compare.upp_orders(origin, self.sandbox.upp("orders")),
            compare.uphance_orders(origin, drafts, catalogue, problems, self.key),
            compare.uphance_customers(origin, drafts, customers, self.key),
        ]

    def _problems(self) -> Problems:
        rows = self.house.run("problems", "list", "--json")
        return Problems(rows if isinstance(rows, list) else [])

    def _compare(self) -> None:
        origin, report = self.sandbox.origin(), self.report
        problems = self._problems()
        report.verdicts = [
            *self._verdicts(origin, problems),
            writeback_checks.stock(self.sandbox, self.organisation, origin, self.key, self._catalogue()),
            writeback_checks.shipments(self.sandbox, origin, self.staff),
        ]
        report.problems = len(problems.rows)
        report.strange_problems = problems.others(compare.expected_problems(origin, self._catalogue(), self.key))
        report.webhooks = self.sandbox.call("GET", f"/shops/{SHOP}/timings")
        report.violations = self.sandbox.call("GET", "/violations")["violations"]
        deliveries = self.sandbox.call("GET", f"/shops/{SHOP}/deliveries")
        since = self.activated_at.replace(microsecond=0)
        changed = tuple(
            sum(datetime.fromisoformat(row["last_update_time"]) >= since for row in rows)
            for rows in (origin.products, origin.orders.values())
        )
        report.bound = needed_calls(
            self.sandbox.call("GET", "/calls/log")["calls"],
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
        watch = self._timed(self.sandbox.written_back, self.sandbox.written_back(), since=time.monotonic())
        self.sandbox.call("POST", f"/uphance/{self.organisation}/webhook", {"url": self.hook})
        with ThreadPoolExecutor(1) as pool:
            switched = pool.submit(self.house.run, "shops", "settings", self.token, "stock.write=true")
            self.staff = writeback_checks.staff_at_work(
                self.sandbox, self.organisation, self.sandbox.origin(), self.key
            )
            switched.result()
        self._until_quiet(watch)

    def _until_quiet(self, watch: Callable[[], None] | None = None) -> None:
        """Until nothing moves any more: no announcement waits, no change, and the outbox stands still.

        It need not be empty: documents of orders that need a person stay in it.
        """
        began = moved = quiet_since = time.monotonic()
        before: dict[str, int] | None = None
        while time.monotonic() - moved < STANDSTILL and time.monotonic() - began < LONGEST:
            self.house.check()
            if watch is not None:
                watch()
            picture = self._picture()
            if picture != before:
                moved = time.monotonic()
            if picture != before or picture["announcements"] or picture["changes"]:
                quiet_since, before = time.monotonic(), picture
            elif time.monotonic() - quiet_since >= QUIET:
                return
            time.sleep(0.25)
        waited = time.monotonic() - began
        raise Failed(f"after {waited:.0f} seconds there is still work that does not get done: {before}")

    def _picture(self) -> dict[str, int]:
        """What waits, and how much has arrived."""
        text = self.client.get(f"{self.house.web}/metrics").text
        timings = self.sandbox.call("GET", f"/shops/{SHOP}/timings")
        return {
            "announcements": timings["pending"],
            "changes": _gauge(text, "upbridge_changes_pending"),
            "documents": _gauge(text, "upbridge_outbox_pending"),
            "delivered": self.sandbox.writes(),
        }


def _gauge(text: str, name: str) -> int:
    """The sum of a metric over its labels."""
    total: Any = 0
    for line in text.splitlines():
        if line.startswith((f"{name}{{", f"{name} ")):
            total += float(line.rpartition(" ")[2])
    return int(total)
