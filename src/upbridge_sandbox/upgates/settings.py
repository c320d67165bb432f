"""What rarely changes: /owner, /languages, /pricelists, /config, /order-statuses, /status."""

from starlette.responses import Response

from upbridge_sandbox.door import Call, answer
from upbridge_sandbox.seed.formats import MARKETS, PRICELISTS, Json
from upbridge_sandbox.seed.orders import STATUSES
from upbridge_sandbox.state import State


class Settings:
    """The settings endpoints."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def owner(self, call: Call) -> Response:
        """GET /owner: an array, because every language may have its own."""
        owner: Json = {
            "company": f"{self.state.shops[call.shop].project_name} s.r.o.",
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
            **dict.fromkeys(
                [
                    "firstname",
                    "surname",
                    "bank_account_holder",
                    "bank_account",
                    "bank_symbol",
                    "bank_specific_symbol",
                    "iban",
                    "swift",
                ]
            ),
        }
        return answer({"owner": [owner]})

    async def languages(self, _call: Call) -> Response:
        """GET /languages."""
        rows = [
            {
                "language_id": language,
                "actual_language_id": language,
                "active_yn": True,
                "default_yn": place == 0,
                "domain": domain,
                "currency_id": currency,
                "default_country_id": country,
                "logo_url": None,
                "logo_no_svg": None,
            }
            for place, (language, (currency, country, domain)) in enumerate(MARKETS.items())
        ]
        return answer({"languages": rows})

    async def pricelists(self, _call: Call) -> Response:
        """GET /pricelists; `default_yn` is typed as a string there."""
        rows = [
            {"id": place + 1, "name": name, "percent": percent, "default_yn": "1" if place == 0 else "0"}
            for place, (name, percent) in enumerate(PRICELISTS)
        ]
        return answer({"pricelists": rows})

    async def config(self, _call: Call) -> Response:
        """GET /config."""
        config = {"prices_with_vat_yn": True, "vat_payer_yn": True, "oss_yn": True, "limit_orders": 0}
        return answer({"config": config})

    async def statuses(self, call: Call) -> Response:
        """GET /order-statuses."""
        rows = [
            {
                "id": status,
                "type": kind,
                "color": colour,
                "descriptions": [
                    {"language_id": language, "name": name} for language, name in zip(MARKETS, names, strict=True)
                ],
                "mark_resolved_yn": kind == "Sent",
                "mark_paid_yn": kind == "PaymentSuccessful",
                "mark_delivered_yn": False,
                "last_update_time": "2024-02-20T10:00:00+01:00",
                "creation_time": "2024-02-20T10:00:00+01:00",
            }
            for status, kind, colour, *names in STATUSES
            if call.last("type") in (None, kind)
        ]
        return answer({"order_statuses": rows})

    async def status(self, call: Call) -> Response:
        """GET /status: which services the API user may use, and how."""
        shop = self.state.shops[call.shop]
        base = self.state.api_url(shop)
        rows = [
            {"service": service, "url": f"{base}/{service}", "privilege": privilege}
            for service, privilege in shop.rights.items()
        ]
        return answer({"services": rows, "documentation_link": "https://docs.upgates.com/api-reference"})
