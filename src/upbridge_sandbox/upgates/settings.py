"""What rarely changes: the owner, the rights, the switches, and the lists of which each has few rows."""

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.seed.formats import MARKETS, Json, nulls
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.shop_facts import Choice
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.lists import Filters, page

CHOICES_A_PAGE = 100


class Settings:
    """The operations of the settings."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def owner(self, _call: Call, shop: Shop) -> Json:
        """The owner: an array, because every language may have its own."""
        owner: Json = {
            "company": f"{shop.project_name} s.r.o.",
            "company_number": "12345679",
            "vat_number": "CZ12345679",
            "vat_country_id": "cz",
            "street": "Lipová 1",
            "city": "Brno",
            "state": "",
            "zip": "60200",
            "country_id": "cz",
            "language_id": "cs",
            "email": "obchod@satnik-demo.cz",
            "phone": "+420 600111222",
            **nulls(
                "firstname surname bank_account_holder bank_account bank_symbol bank_specific_symbol iban swift"
            ),
        }
        return {"owner": [owner]}

    async def languages(self, _call: Call, shop: Shop) -> Json:
        """The languages."""
        rows = [
            {
                "language_id": language,
                "actual_language_id": language,
                "active_yn": True,
                "default_yn": language == shop.facts.language,
                "domain": domain,
                "currency_id": currency,
                "default_country_id": country,
                "logo_url": None,
                "logo_no_svg": None,
            }
            for language, (currency, country, domain) in MARKETS.items()
        ]
        return {"languages": rows}

    async def pricelists(self, _call: Call, shop: Shop) -> Json:
        """The price lists; the published type of `default_yn` is a string."""
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "percent": one.percent,
                "default_yn": "1" if one.id == shop.facts.pricelist else "0",
            }
            for one in shop.facts.pricelists
        ]
        return {"pricelists": rows}

    async def config(self, _call: Call, shop: Shop) -> Json:
        """The shop's switches."""
        config = {
            "prices_with_vat_yn": shop.facts.prices_with_vat,
            "vat_payer_yn": True,
            "oss_yn": True,
            "limit_orders": shop.facts.limit_orders,
        }
        return {"config": config}

    async def statuses(self, _call: Call, shop: Shop) -> Json:
        """The order statuses."""
        rows = [
            {
                "id": one.id,
                "type": one.type,
                "color": one.colour,
                "descriptions": [{"language_id": language, "name": name} for language, name in one.names.items()],
                "mark_resolved_yn": one.type == "Sent",
                "mark_paid_yn": one.type == "PaymentSuccessful",
                "mark_delivered_yn": False,
                "last_update_time": "2024-02-20T10:00:00+01:00",
                "creation_time": "2024-02-20T10:00:00+01:00",
            }
            for one in shop.facts.statuses
        ]
        return {"order_statuses": rows}

    async def shipments(self, call: Call, shop: Shop) -> Json:
        """The ways to deliver; ids are strings, as published."""
        more = nulls("affiliates tracking_url internal_note")
        rows = [{**_choice(one), **more} for one in shop.facts.shipments]
        return page(rows, Filters(call), key="shipments", size=CHOICES_A_PAGE)

    async def payments(self, call: Call, shop: Shop) -> Json:
        """The ways to pay."""
        rows = [_choice(one) for one in shop.facts.payments]
        return page(rows, Filters(call), key="payments", size=CHOICES_A_PAGE)

    async def status(self, _call: Call, shop: Shop) -> Json:
        """Which services the API user may use, and how."""
        base = self.state.api_url(shop)
        rows = [
            {"service": service, "url": f"{base}/{service}", "privilege": privilege}
            for service, privilege in shop.rights.items()
        ]
        return {"services": rows, "documentation_link": "https://docs.upgates.com/api-reference"}


def _choice(one: Choice) -> Json:
    return {
        "id": str(one.id),
        "code": one.code,
        "image_url": None,
        "type": one.type,
        "active_yn": one.active,
        "descriptions": [
            {"language_id": language, "name": one.name, "description": None, "price": 0, "free_from": None}
            for language in MARKETS
        ],
        "metas": [],
    }
