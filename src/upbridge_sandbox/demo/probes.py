"""What the demo measures: how much waits, when each flow's last copy arrived, and whether the copies are right."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from upbridge_sandbox.demo import compare, uphance_rules, upp_rules, writeback_checks
from upbridge_sandbox.demo.call_bound import Workload, needed_calls
from upbridge_sandbox.demo.compare import Finding, Origin, Problems, Verdict
from upbridge_sandbox.demo.driver import Driver
from upbridge_sandbox.demo.processes import Failed
from upbridge_sandbox.demo.report import Report
from upbridge_sandbox.demo.sandbox_client import SHOP

QUIET = 1.0
AT_REST = 0.4
"""Seconds. Where nothing at all waits, so long is enough: what is on its way at one look shows at the next."""
LOOK_EVERY = 0.25
"""Seconds. Each look costs the web process and the simulated systems as much as some of their work."""
STANDSTILL = 60.0
"""Seconds: a slow machine may take its time, but something has to move."""
LONGEST = 900.0
WINDOW = 1.0


@dataclass(slots=True)
class Probes:
    """Looks at the shop, the targets and the program; what it finds goes into the report."""

    driver: Driver
    report: Report
    sizes: tuple[int, int] = (0, 0)
    """Products and orders at the first import."""

    def expect_import(self) -> dict[str, int]:
        """How many copies the first import makes in each flow; remembers its size."""
        origin = self.driver.sandbox.origin()
        self.sizes = (len(origin.products), len(origin.orders))
        skus = self._skus()
        sendable = filter(uphance_rules.sendable, origin.orders.values())
        made = [uphance_rules.sales_order(order, skus) for order in sendable]
        return {
            "products → Upp.ai": len(upp_rules.sku_counts(origin.products)),
            "orders → Upp.ai": sum(upp_rules.order_wanted(order) for order in origin.orders.values()),
            "orders → Uphance": sum(isinstance(one, uphance_rules.SalesOrder) for one in made),
        }

    def timed(
        self,
        count: Callable[[], dict[str, int]],
        before: dict[str, int],
        show: Callable[[dict[str, int]], None] = lambda _: None,
        *,
        since: float,
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

    def until_quiet(self, watch: Callable[[], None] | None = None) -> None:
        """Wait until nothing moves: no announcement waits, no change, and the outbox is empty, or stands still for
        a while. Raises `Failed`.
        """
        began = moved = quiet_since = time.monotonic()
        before: dict[str, int] | None = None
        while time.monotonic() - moved < STANDSTILL and time.monotonic() - began < LONGEST:
            self.driver.processes.check()
            if watch is not None:
                watch()
            picture = self._picture()
            if picture != before:
                moved = time.monotonic()
            if picture != before or picture["announcements"] or picture["changes"]:
                quiet_since, before = time.monotonic(), picture
            elif time.monotonic() - quiet_since >= (QUIET if picture["documents"] else AT_REST):
                return
            time.sleep(LOOK_EVERY)
        waited = time.monotonic() - began
        raise Failed(f"after {waited:.0f} seconds there is still work that does not get done: {before}")

    def _picture(self) -> dict[str, int]:
        """What waits, and how much has arrived."""
        text = self.driver.sandbox.client.get(f"{self.driver.processes.web}/metrics").text
        return {
            "announcements": self.driver.sandbox.call("GET", f"/shops/{SHOP}/timings")["pending"],
            "changes": _gauge(text, "upbridge_changes_pending"),
            "documents": _gauge(text, "upbridge_outbox_pending"),
            "delivered": self.driver.sandbox.writes(),
        }

    def find_late(self) -> None:
        """What was announced, and is still not right before the safety net runs."""
        lost = {row["id"] for row in self.driver.sandbox.call("GET", f"/shops/{SHOP}/deliveries")["lost"]}
        origin, problems = self._picture_of_all()
        parents = {
            key: str(product["product_id"])
            for product in [*origin.products, *origin.deleted_products]
            for key in upp_rules.product_ids(product)
        }
        for verdict in self._forward(origin, problems):
            for finding in verdict.findings:
                names = {parents.get(finding.entity, finding.entity), finding.entity.replace("-", "")}
                if not names & lost:
                    self.report.late.append(Finding(verdict.flow, "late", finding.entity, finding.detail))

    def compare(self, done: writeback_checks.StaffWork) -> None:
        """Every copy with its origin, the problems, the webhooks and the number of calls."""
        driver, report = self.driver, self.report
        call, (origin, problems) = driver.sandbox.call, self._picture_of_all()
        report.verdicts = self._verdicts(origin, problems, done)
        report.problems = len(problems.rows)
        report.strange_problems = problems.others(compare.expected_problems(origin, self._skus(), driver.key))
        report.webhooks = call("GET", f"/shops/{SHOP}/timings")
        report.violations = call("GET", "/violations")["violations"]
        deliveries = call("GET", f"/shops/{SHOP}/deliveries")
        since = driver.activated_at.replace(microsecond=0)
        products, orders = (
            sum(datetime.fromisoformat(row["last_update_time"]) >= since for row in rows)
            for rows in (origin.products, origin.orders.values())
        )
        workload = Workload(
            *self.sizes,
            changed=(products, orders),
            lost_deletes=any(row["event"] == "Products.delete" for row in deliveries["lost"]),
            tickets=len(done.shipped) + len(done.partly),
            window=WINDOW,
        )
        report.bound = needed_calls(call("GET", "/calls/log")["calls"], deliveries["deliveries"], workload)

    def compare_restored(self, done: writeback_checks.StaffWork, calls: int) -> None:
        """The same after a backup was put back; *calls* are those of Upgates until then."""
        sandbox = self.driver.sandbox
        self.report.restored = self._verdicts(*self._picture_of_all(), done)
        self.report.restored_calls = (sandbox.count_calls() - calls, calls)
        self.report.violations = sandbox.call("GET", "/violations")["violations"]

    def _picture_of_all(self) -> tuple[Origin, Problems]:
        """What the shop holds, and what the program lists for a person meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            listed = pool.submit(self.driver.problems)
            return self.driver.sandbox.origin(), listed.result()

    def _verdicts(self, origin: Origin, problems: Problems, done: writeback_checks.StaffWork) -> list[Verdict]:
        """All flows, in both directions."""
        driver = self.driver
        return [
            *self._forward(origin, problems),
            writeback_checks.stock(driver.sandbox, driver.organisation, origin, driver.key, self._skus()),
            writeback_checks.shipments(driver.sandbox, origin, done),
        ]

    def _forward(self, origin: Origin, problems: Problems) -> list[Verdict]:
        """The flows from the shop to the targets."""
        sandbox, key = self.driver.sandbox, self.driver.key
        drafts = sandbox.uphance(self.driver.organisation, "orders")
        customers = sandbox.uphance(self.driver.organisation, "customers")
        return [
            compare.upp_products(origin, sandbox.upp("products"), problems),
            compare.upp_orders(origin, sandbox.upp("orders")),
            compare.uphance_orders(origin, drafts, self._skus(), problems, key),
            compare.uphance_customers(origin, drafts, customers, key),
        ]

    def _skus(self) -> uphance_rules.Skus:
        sandbox, organisation = self.driver.sandbox, self.driver.organisation
        organisations = sandbox.call("GET", "/state")["uphance"]["organisations"]
        channels = next(item["channels"] for item in organisations if item["id"] == organisation)
        return uphance_rules.Skus(sandbox.uphance(organisation, "products"), channels)


def _gauge(text: str, name: str) -> int:
    """The sum of a metric over its labels."""
    rows = (line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
    return int(sum(float(line.rpartition(" ")[2]) for line in rows))
