"""Rules: the settings of the mapping, grouped by what a merchant thinks of, each with its consequence.

The form holds every setting as it would be typed; what does not differ is not touched. A wrong value comes back
with what was typed, and then nothing is changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Response

from upbridge.core.clock import PRAGUE
from upbridge.core.i18n import Texts
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import SETTINGS, as_text, needed
from upbridge.operations.connect import change_settings
from upbridge.operations.settings_preview import SettingsPreview, preview_settings
from upbridge.store.connections import ConnectionRow
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session, one
from upbridge.web.queries.problems import waiting_for

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

#: The settings as a merchant thinks of them, with the control that each is typed into.
GROUPS: Mapping[str, Mapping[str, str]] = {
    "orders": {
        "upp.send": "yes_no",
        "upp.origins": "many",
        "upp.order_days": "number",
        "uphance.send_orders": "yes_no",
        "uphance.order_statuses": "many",
        "uphance.origins": "many",
        "uphance.orders_from": "moment",
        "uphance.customer_mode": "customer",
    },
    "money": {
        "upp.pricelist": "choice",
        "uphance.channels": "channels",
        "uphance.prices_with_tax": "yes_no",
        "uphance.payment_term": "text",
        "uphance.services": "text",
    },
    "language": {"upp.language": "choice", "upp.variant_titles": "yes_no"},
    "stock": {
        "stock.write": "decide",
        "stock.quantity": "choice",
        "stock.drafts_reserve": "yes_no",
        "stock.safety": "number",
        "stock.guard_percent": "number",
    },
    "shipments": {"shipments.write": "yes_no", "shipments.status": "choice", "shipments.notify": "yes_no"},
    "products": {
        "upp.sku_from": "choice",
        "uphance.season": "choice",
        "uphance.warehouse": "text",
        "uphance.create_products": "yes_no",
        "uphance.color_parameter": "text",
        "uphance.size_parameter": "text",
    },
    "calls": {"budget.tariff": "choice", "budget.packages": "number"},
}

_ORIGINS = ("frontend", "admin", "api", "cash-register")
_FIXED = {
    "upp.sku_from": ("code", "ean", "id"),
    "stock.quantity": ("available_to_sell_from_stock", "in_stock", "available_to_sell"),
    "upp.origins": _ORIGINS,
    "uphance.origins": _ORIGINS,
    "budget.tariff": ("bronze", "silver", "gold", "platinum", "exclusive"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One value to choose, and how it is called."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Market:
    """A language with its currency, and the Uphance channels that could take its orders."""

    key: str
    channels: tuple[Option, ...]
    chosen: str


@dataclass(frozen=True, slots=True)
class Control:
    """A setting as the form shows it. *kind*: which control; *typed*: what stands in it."""

    key: str
    kind: str
    typed: str
    was: str
    """What stood in it before anybody typed: what is sent back like that leaves a setting alone."""
    options: tuple[Option, ...]
    markets: tuple[Market, ...]
    wrong: bool
    waiting: int
    """How many open problems this setting would cure."""

    @property
    def many(self) -> frozenset[str]:
        """The values that are ticked."""
        return frozenset(part.strip() for part in self.typed.split(",") if part.strip())


@router.get("/rules")
async def rules(here: Session) -> Response:
    """The settings, as chosen or by default."""
    return await _page(here, _current(here.shop), wrong=())


@router.post("/rules")
async def save(here: Session, form: Posted) -> Response:
    """Change what differs; a wrong value, or one that is still missing, changes nothing."""
    current = _current(here.shop)
    # What somebody else has changed since the page was shown is not changed back by whoever did not touch it.
    typed = {key: text for key, text in _typed(form).items() if not _left_alone(key, text, form)}
    changed = {key: text for key, text in typed.items() if not _same(key, text, current[key])}
    wrong = [key for key, text in changed.items() if text and not _readable(key, text)]
    wrong = wrong or needed(here.shop.settings.chosen, changed)
    if wrong:
        return await _page(here, {**current, **typed}, wrong=wrong)
    if one(form, "look"):
        return await _page(here, {**current, **typed}, wrong=(), foreseen=await _foresee(here, current, changed))
    if changed:
        await change_settings(here.pages.act(), here.shop, changed)
    return here.go("rules", "rules_saved" if changed else "rules_same", len(changed))


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that saving would change, as texts for people; empty is the default."""

    key: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving would do."""

    differences: tuple[Difference, ...]
    foreseen: SettingsPreview


async def _foresee(here: PageContext, current: Mapping[str, str], changed: Mapping[str, str]) -> Preview:
    facts = ShopProfile.model_validate(here.shop.facts or {})
    uphance = (await here.pages.connections.of(here.shop.id)).get("uphance")

    def shown(key: str, typed: str) -> str:
        return _words(key, typed, _options(key, facts, uphance, here.texts), here.texts)

    return Preview(
        tuple(Difference(key, shown(key, current[key]), shown(key, text)) for key, text in changed.items()),
        await preview_settings(here.pages.act(), here.shop, changed),
    )


def _words(key: str, typed: str, options: Sequence[Option], texts: Texts) -> str:
    """*typed* as the page calls it."""
    names = {option.value: option.name for option in options}
    if typed in {"true", "false"}:
        return texts.get("ui.rules.yes" if typed == "true" else "ui.rules.no")
    if key == "uphance.customer_mode":
        mode, _, number = typed.partition(":")
        return " ".join(filter(None, (texts.get(f"ui.option.{key}.{mode or 'per_shopper'}"), number)))
    if typed and key == "uphance.orders_from":
        moment = datetime.fromisoformat(typed)
        return texts.moment(moment if moment.tzinfo else moment.replace(tzinfo=PRAGUE))
    return ", ".join(names.get(part.strip(), part.strip()) for part in typed.split(",") if part.strip())


def _readable(key: str, text: str) -> bool:
    try:
        SETTINGS[key].parse(text)
    except ValueError:
        return False
    return True


def _same(key: str, typed: str, current: str) -> bool:
    """Whether both texts mean the same (a mapping may be spelled in another order)."""
    if typed == current or not typed or not current or not (_readable(key, typed) and _readable(key, current)):
        return typed == current
    return bool(SETTINGS[key].parse(typed) == SETTINGS[key].parse(current))


def _left_alone(key: str, typed: str, form: Mapping[str, list[str]]) -> bool:
    return f"was.{key}" in form and _same(key, typed, one(form, f"was.{key}"))


def _current(shop: Shop) -> dict[str, str]:
    """Every setting as its control holds it; empty where nobody chose and the shop's facts decide. Whether stock
    is written has to be decided by somebody: "no" is not the same as nothing yet."""
    texts = {}
    for key, rule in SETTINGS.items():
        value = shop.settings.get(key)
        texts[key] = as_text(value) or ""
        if value is not None and key == "uphance.orders_from":
            local = datetime.fromisoformat(value).astimezone(PRAGUE).replace(tzinfo=None)
            texts[key] = local.isoformat(timespec="minutes")
        if key not in shop.settings.chosen and (rule.default in (None, {}) or key == "stock.write"):
            texts[key] = ""
    return texts


def _typed(form: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What the form says, setting by setting; settings that it does not name are left alone."""
    fields = {name: list(values) for name, values in form.items()}
    kinds = {key: kind for group in GROUPS.values() for key, kind in group.items()}
    typed = {}
    for key, kind in kinds.items():
        if key not in fields:
            continue
        if kind == "many":
            typed[key] = ",".join(dict.fromkeys(part.strip() for part in fields[key] if part.strip()))
        elif kind == "channels":
            typed[key] = _channels(fields, key)
        elif kind == "customer":
            mode, number = one(fields, key), one(fields, f"{key}.number")
            typed[key] = f"collective:{number}" if mode == "collective" else mode
        else:
            typed[key] = one(fields, key)
    return typed


def _channels(fields: dict[str, list[str]], key: str) -> str:
    """The hidden field holds markets that the table does not show; the rest is one field per market."""
    pairs = {}
    for part in one(fields, key).split(","):
        market, _, number = part.strip().rpartition(":")
        if market:
            pairs[market] = number
    for name in fields:
        market = name.removeprefix(f"{key}.")
        if name != market:
            pairs[market] = one(fields, name)
    return ",".join(f"{market}:{number}" for market, number in pairs.items() if number)


# --- the form -----------------------------------------------------------------------------------------------


async def _page(
    here: PageContext, typed: Mapping[str, str], *, wrong: Sequence[str], foreseen: Preview | None = None
) -> Response:
    facts = ShopProfile.model_validate(here.shop.facts or {})
    uphance = (await here.pages.connections.of(here.shop.id)).get("uphance")
    waiting, current = await waiting_for(here.pages.engine, here.shop.id), _current(here.shop)
    groups = {
        name: [
            Control(
                key=key,
                kind=_kind(kind, options := _options(key, facts, uphance, here.texts), typed[key]),
                typed=typed[key],
                was=current[key],
                options=options,
                markets=_markets(facts, uphance, typed[key]) if kind == "channels" else (),
                wrong=key in wrong,
                waiting=waiting.get(key, 0),
            )
            for key, kind in group.items()
        ]
        for name, group in GROUPS.items()
    }
    return here.page(
        "rules",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        groups=groups,
        wrong=len(wrong),
        preview=foreseen,
        chosen=here.shop.settings.chosen,
        others=_others(facts, typed["uphance.channels"]),
    )


def _kind(kind: str, options: tuple[Option, ...], typed: str) -> str:
    """What nobody knows the values of is typed."""
    known = {option.value for option in options}
    if kind in {"choice", "many"} and (not options or not set(filter(None, typed.split(","))) <= known):
        return "text"
    return kind


def _options(key: str, facts: ShopProfile, uphance: ConnectionRow | None, texts: Texts) -> tuple[Option, ...]:
    if key in _FIXED:
        return tuple(Option(value, texts.get(f"ui.option.{key}.{value}")) for value in _FIXED[key])
    match key:
        case "upp.language":
            return tuple(Option(language, language) for language in facts.currencies)
        case "upp.pricelist":
            return tuple(Option(name, name) for name in facts.pricelists)
        case "uphance.order_statuses" | "shipments.status":
            return tuple(Option(str(number), _status(facts, number, texts)) for number in facts.status_types)
        case "uphance.season":
            seasons = (uphance.facts.get("seasons") if uphance else None) or ()
            return tuple(Option(str(season["id"]), str(season["name"])) for season in seasons)
    return ()


def _status(facts: ShopProfile, number: int, texts: Texts) -> str:
    names = facts.status_names.get(number, {})
    return names.get(texts.language) or next(iter(names.values()), str(number))


def _markets(facts: ShopProfile, uphance: ConnectionRow | None, typed: str) -> tuple[Market, ...]:
    channels = (uphance.facts.get("channels") if uphance else None) or ()
    chosen = dict(part.rpartition(":")[::2] for part in typed.split(",") if ":" in part)
    return tuple(
        Market(
            key=f"{language}/{currency}",
            channels=tuple(
                Option(str(channel["id"]), f"{channel['name']} ({channel['id']})")
                for channel in channels
                if channel["currency"] == currency
            ),
            chosen=chosen.get(f"{language}/{currency}", ""),
        )
        for language, currency in facts.currencies.items()
    )


def _others(facts: ShopProfile, typed: str) -> str:
    """Chosen markets that the shop does not have (any more): kept as they are."""
    known = {f"{language}/{currency}" for language, currency in facts.currencies.items()}
    return ",".join(part for part in typed.split(",") if part and part.rpartition(":")[0] not in known)
