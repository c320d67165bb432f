"""Rules: the settings of the mapping, part by part, each with its consequence.

A part is saved by itself; what does not differ is not touched. A wrong value, or one that another user has
changed meanwhile, comes back with what was typed, and then nothing is changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Response

from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import Clash, Mode, Whole
from upbridge.operations.settings_preview import SettingsPreview
from upbridge.store import letters
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.endpoints.dry_run import save_or_ask
from upbridge.web.forms import one
from upbridge.web.queries.problems import markets_wanted, waiting_for
from upbridge.web.rule_controls import Control, Offered, Option, control_of
from upbridge.web.rule_forms import Typed, current_texts, read_rules, ticks
from upbridge.web.rule_parts import RulePart, part_with, parts_of

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that saving would change, as texts for people. *begins*: what is ticked now; *ends*: what no
    longer is; *odd*: the part of the change that merchants hardly ever mean."""

    key: str
    before: str
    after: str
    begins: str = ""
    ends: str = ""
    odd: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving would do."""

    differences: tuple[Difference, ...]
    foreseen: SettingsPreview


@dataclass(frozen=True, slots=True)
class _Shown:
    """A part as it is shown: what stands in it, and what is said of it. *unsaved*: whether it has what the shop
    has not."""

    part: RulePart
    texts: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    clashes: Sequence[str] = ()
    preview: Preview | None = None
    unsaved: bool = False


@router.get("/rules")
async def rules(here: Session) -> Response:
    """One part of the settings, as chosen or by default."""
    return await _page(here, _Shown(_part(here, here.query.get("part", ""))))


@router.post("/rules")
async def save(session: str, here: Session, form: Posted) -> Response:
    """Change what differs; a wrong value, one that is still missing, or a clash changes nothing."""
    current = current_texts(here.shop)
    typed = read_rules(form, here.shop, current)
    part = _part(here, one(form, "part"), *typed.wrong, *typed.clashes, *typed.texts)
    shown = _Shown(part, {**current, **typed.texts}, unsaved=bool(typed.changed))
    language = one(form, "language")
    if language in LANGUAGES:  # what was typed goes along
        await here.pages.sessions.speak(session, language)
        return await _page(replace(here, texts=Texts(language)), shown)
    if typed.wrong or typed.clashes:
        return await _page(here, replace(shown, wrong=typed.wrong, clashes=typed.clashes))
    if one(form, "look"):
        return await _page(here, replace(shown, preview=await _foresee(here, current, typed)))
    if typed.changed:
        try:
            was = {f"was.{key}": current[key] for key, text in typed.changed.items() if text}
            fields = {"part": part.name, **was}
            if asked := await save_or_ask(here, typed.changed, fields, one(form, "seen")):
                return asked
        except Clash:  # in this very moment: it is shown as if it had been before
            shop = await here.pages.shops.get(here.shop.id)
            return await _page(replace(here, shop=shop), replace(shown, clashes=tuple(typed.changed)))
    said = "rules_saved" if typed.changed else "rules_same"
    return here.go("rules", said, len(typed.changed), part=part.name)


def _part(here: PageContext, name: str, *keys: str) -> RulePart:
    """The part *name*, or the one with the first of *keys*, or the first part."""
    parts = parts_of(here.pages.systems)
    return next((part for part in parts if part.name == name), None) or part_with(parts, *keys)


async def _foresee(here: PageContext, current: Mapping[str, str], typed: Typed) -> Preview:
    offered = await _offered(here)

    def difference(key: str) -> Difference:
        before, after = current[key], typed.texts[key]
        shown = Difference(key, offered.shown(key, before), offered.shown(key, after), odd=offered.odd(key, after))
        if not ticks(here.shop.settings.declared[key]):
            return shown
        was, becomes = ({part.strip() for part in text.split(",") if part.strip()} for text in (before, after))
        return replace(shown, begins=offered.named(key, becomes - was), ends=offered.named(key, was - becomes))

    return Preview(
        tuple(map(difference, typed.changed)),
        await here.pages.act().previews.preview(here.shop, typed.changed),
    )


# --- the page -----------------------------------------------------------------------------------------------


async def _offered(here: PageContext) -> Offered:
    rows = await here.pages.connections.of(here.shop.id)
    return Offered(
        here.pages.systems,
        ShopProfile.model_validate(here.shop.facts or {}),
        {name: row.facts for name, row in rows.items()},
        here.texts,
        await markets_wanted(here.pages.engine, here.pages.systems, here.shop.id),
    )


async def _mail_refused_at(here: PageContext) -> datetime | None:
    """When the last mail to the shop's people was given up, where an address is chosen."""
    if not here.shop.settings.text("notify.email"):
        return None
    async with here.pages.engine.connect() as tx:
        return await letters.refused_last(tx, here.shop.id)


async def _page(here: PageContext, shown: _Shown) -> Response:
    offered, current = await _offered(here), current_texts(here.shop)
    waiting = await waiting_for(here.pages.engine, here.pages.systems, here.shop.id)
    texts = {**current, **shown.texts}

    def control(key: str) -> Control:
        setting, typed = here.shop.settings.declared[key], texts[key]
        options = offered.options(key, typed)
        return Control(
            key=key,
            kind=control_of(setting, options),
            typed=typed,
            was=current[key],
            under=setting.under if setting.under in shown.part.keys else None,
            nothing=offered.nothing(key),
            options=options,
            modes=(mode.plain, mode.numbered) if isinstance(mode := setting.type, Mode) else (),
            markets=offered.markets(key, typed),
            others=offered.other_markets(key, typed),
            wrong=_why_wrong(here, key, shown.wrong.get(key, ""), options),
            clash=offered.shown(key, current[key]) if key in shown.clashes else "",
            odd=offered.odd(key, typed),
            waiting=waiting.get(key, 0),
        )

    status = HTTPStatus.UNPROCESSABLE_ENTITY if shown.wrong else HTTPStatus.OK
    if shown.clashes:
        status = HTTPStatus.CONFLICT
    controls = [control(key) for key in shown.part.keys]
    return await here.page(
        "rules",
        status=status,
        part=shown.part,
        title=shown.part.title(here.texts),
        wrong=[one for one in controls if one.wrong],
        clashes=[one for one in controls if one.clash and not one.wrong],
        parts=[(part.name, part.title(here.texts)) for part in parts_of(here.pages.systems)],
        controls=[
            (one, [other for other in controls if other.under == one.key]) for one in controls if not one.under
        ],
        preview=shown.preview,
        unsaved=shown.unsaved,
        sends_mail=here.pages.sends_mail,
        mail_refused_at=await _mail_refused_at(here),
        keeps_typed=True,
    )


def _why_wrong(here: PageContext, key: str, why: str, options: Sequence[Option]) -> str:
    """Why a value cannot be saved, in words; empty if it can."""
    if why in {"", "missing", "none"}:
        return here.texts.get(f"ui.rules.wrong_{why}") if why else ""
    if here.texts.has(f"ui.wrong.{key}"):
        return here.texts.get(f"ui.wrong.{key}")
    setting = here.shop.settings.declared[key]
    kind = control_of(setting, options)
    limits = {"min": setting.type.low, "max": setting.type.high} if isinstance(setting.type, Whole) else {}
    return here.texts.get(f"ui.rules.wrong_{kind}", **limits)
