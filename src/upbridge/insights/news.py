"""What keeps a shop from being all well, each thing once: what every page says above, and what mails report."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from upbridge.domain.shop import Shop, ShopState
from upbridge.insights.flow_lights import GRAVITY, Light
from upbridge.insights.flow_states import FlowFacts, FlowState
from upbridge.store.problems import ALARMS

#: Reasons of a flow that concern all flows of the shop alike, and those that concern each system on its own.
_OF_THE_SHOP = frozenset(
    {
        "stopped",
        "no_worker",
        "shop_silent",
        "no_right",
        "import_paused",
        "unannounced",
        "unproven",
        "budget",
        "logins",
        "late",
    }
)
#: Those of them that keep the shop from being called.
_NOT_CALLED = frozenset({"shop_silent", "budget", "logins"})
_OF_A_SYSTEM = frozenset({"broken", "elsewhere", "source_silent", "blocked"})
#: Reasons that concern what the shop counted itself: each kind on its own.
_OF_A_KIND = frozenset({"incomplete", "uncounted"})
#: Kinds of problems that the light of a flow tells already.
TOLD_BY_LIGHTS = ALARMS


@dataclass(frozen=True, slots=True)
class News:
    """One thing that keeps the shop from being all well. *reason* is the last part of its sentence's key, *kinds*
    are what it keeps, *count* how much of it waits or differs."""

    light: Light
    reason: str
    kinds: tuple[str, ...] = ()
    system: str | None = None
    count: int = 0
    at: datetime | None = None

    @property
    def page(self) -> str | None:
        """Where it is put right; None where it is put right on the first page, in the shop, or by itself."""
        if self.reason in {"broken", "elsewhere"}:
            return f"connections#{self.system}"
        return "problems" if self.reason in {"no_right", "unannounced"} else None


def news_of(shop: Shop, flows: tuple[FlowState, ...], seen: FlowFacts, *, platform: str) -> tuple[News, ...]:
    """What the *flows* of *shop* have to tell, each thing once. Pure."""
    if shop.state is not ShopState.ACTIVE:
        return (News(Light.STOPPED, "stopped", at=shop.state_since),)
    told: dict[tuple[str, str | None], News] = {}
    for key, one in _told(flows):
        former = told.get(key)
        if former is None:
            told[key] = one
        else:
            told[key] = replace(
                former,
                light=min(former.light, one.light, key=GRAVITY.index),
                kinds=tuple(dict.fromkeys((*former.kinds, *one.kinds))),
                # Flows of one kind count the same things, those of one system other things each.
                count=former.count + (one.count if one.reason in _OF_A_SYSTEM else 0),
            )
    unread = sum(one.count for one in seen.unread if one.source == platform)
    news = [replace(one, count=unread) if one.reason in _NOT_CALLED else one for one in told.values()]
    return tuple(sorted(news, key=lambda one: GRAVITY.index(one.light)))


def _told(flows: tuple[FlowState, ...]) -> Iterator[tuple[tuple[str, str | None], News]]:
    """What each flow has to tell beside its problems, under a name that it shares with the same of others."""
    for flow in flows:
        about = News(flow.light, flow.reason, (flow.kind,), flow.system, flow.count, flow.at)
        if flow.reason in _OF_THE_SHOP:
            yield (flow.reason, None), replace(about, system=None)
        elif flow.reason in _OF_A_SYSTEM:
            yield (flow.reason, flow.system), about
        elif flow.reason in _OF_A_KIND:
            yield (flow.reason, f"kind {flow.kind}"), replace(about, system=None)
