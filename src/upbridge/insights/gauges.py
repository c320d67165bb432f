"""What a scrape adds up over all shops, as Prometheus reads it. No label for the shop."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop import Shop
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import count_lights
from upbridge.insights.webhook_coverage import coverage
from upbridge.store.lanes import blocks_of
from upbridge.systems.base import Systems


async def gauges(engine: AsyncEngine, systems: Systems, shops: Sequence[Shop], *, now: datetime) -> list[Metric]:
    """The lights of all flows, the lanes that wait, the part of changes that webhooks announced."""
    lights = GaugeMetricFamily("upbridge_flows", "Flows of all shops.", labels=("light",))
    counted = await count_lights(engine, systems, shops, now)
    for light in Light:
        lights.add_metric([light], counted[light])
    async with engine.connect() as tx:
        waiting = Counter(lane.system for lane in await blocks_of(tx, None, now=now))
    blocked = GaugeMetricFamily("upbridge_lanes_blocked", "Lanes that have to wait.", labels=("system",))
    for system in systems.all:
        blocked.add_metric([system.name], waiting[system.name])
    announced = GaugeMetricFamily(
        "upbridge_webhook_coverage_ratio", "The part of the last days' changes that webhooks announced.", labels=()
    )
    share = (await coverage(engine, None, now=now)).share
    if share is not None:
        announced.add_metric([], share)
    return [lights, blocked, announced]
