"""Which query parameters and body fields the published API v2 has; everything else is a violation.

A tree of names: a dict is an object, a list an array of objects, None a value (or any object).
"""

from typing import Any, TypeAlias

from upbridge_sandbox.seed.formats import names, nulls

Tree: TypeAlias = "dict[str, Any] | list[Any] | None"

_PRODUCT_FILTERS = names(
    "codes product_id product_ids variant_codes last_update_time_from active_yn archived_yn can_add_to_basket_yn"
    " exclude_from_search_yn in_stock_yn language languages variants_yn page current_page_items"
)
PARAMETERS: dict[str, frozenset[str]] = {
    "GET /orders": names(
        "order_numbers creation_time_from creation_time_to last_update_time_from paid_yn delivered_yn status"
        " status_id status_ids language email phone external_order_number payment_type shipment_type"
        " page order_by order_dir deleted_yn"
    ),
    "GET /products": _PRODUCT_FILTERS | {"pricelist"},
    "GET /products/parameters": _PRODUCT_FILTERS,
    "GET /products/simple": _PRODUCT_FILTERS - {"language", "languages"},
    "GET /products/variants": (_PRODUCT_FILTERS | {"code", "pricelist"})
    - names("last_update_time_from archived_yn exclude_from_search_yn variants_yn"),
    "GET /order-statuses": names("type"),
    "GET /shipments": names("ids code codes type page"),
    "GET /payments": names("ids code codes type page"),
    "DELETE /webhooks": names("id ids"),
    "DELETE /webhooks/{id}": names("ids"),
}


def _object(text: str, **deeper: Tree) -> dict[str, Any]:
    """An object with the values that *text* names, and what is *deeper*."""
    return {**nulls(text), **deeper}


_METAS = [_object("key value", values=[_object("language value")])]
_IMAGES = [
    _object(
        "file_id url main_yn list_yn position",
        titles=[_object("language title")],
        languages=[_object("language selected_yn")],
    )
]
_PRICES = [
    _object(
        "language price_purchase price_common",
        pricelists=[_object("name price_original product_discount price_sale")],
    )
]
_STOCKS = [_object("stock_id code position quantity")]
_PARAMETERS = [
    _object(
        "id",
        descriptions=[_object("language name")],
        values=[_object("id", descriptions=[_object("language value")])],
    )
]
_LABELS = [_object("label_id name active_currently_yn active_yn active_from active_to")]
_VARIANT = _object(
    "code code_supplier active_yn main_yn ean stock stock_increment stock_position availability_id availability"
    " weight can_add_to_basket_yn",
    image=_object("file_id url"),
    images=_IMAGES,
    stocks=_STOCKS,
    prices=_PRICES,
    labels=_LABELS,
    parameters=_PARAMETERS,
    metas=_METAS,
)
_PRODUCT = _object(
    "code code_supplier active_yn archived_yn replacement_product_code ean stock stock_increment stock_position"
    " limit_orders availability_id availability manufacturer_id manufacturer weight shipment_group"
    " can_add_to_basket_yn adult_yn add_images_into_variants_yn vats",
    descriptions=[
        _object("language active_yn title short_description long_description seo_title seo_description seo_url")
    ],
    images=_IMAGES,
    files=_IMAGES,
    stocks=_STOCKS,
    categories=[_object("category_id code main_yn position")],
    prices=_PRICES,
    labels=_LABELS,
    parameters=_PARAMETERS,
    variants=[_VARIANT],
    metas=_METAS,
    related=None,
    accessories=None,
    alternative=None,
)
_PAPERS = _object("generate_yn expiration_date date_of_issuance date_of_vat_revenue_recognition")
_ORDER = _object(
    "order_number external_order_number prices_with_vat_yn status status_id paid_date delivered_date tracking_code"
    " resolved_yn internal_note statistics_yn variable_symbol",
    dimensions=_object("width length height"),
    customer=_object(
        "email phone firstname_invoice surname_invoice street_invoice city_invoice state_invoice zip_invoice"
        " country_id_invoice postal_yn firstname_postal surname_postal street_postal city_postal state_postal"
        " zip_postal country_id_postal company_postal company_yn company ico dic vat_payer_yn pricelist_name"
        " pricelist_percent customer_note"
    ),
    products=[
        _object(
            "code code_supplier ean title quantity unit price_per_unit vat buy_price recycling_fee"
            " weight invoice_info",
            parameters=[_object("name value")],
        )
    ],
    quantity_discount=_object("amount type"),
    shipment=_object("code name price vat affiliate_id affiliate_name"),
    payment=_object("code name price vat eet_yn"),
    metas=_METAS,
    invoice=_PAPERS,
    receipt=_PAPERS,
    credit_note=_PAPERS,
)
BODIES: dict[str, Tree] = {
    "PUT /orders": _object("send_emails_yn send_sms_yn delete_missing_products_yn", orders=[_ORDER]),
    "PUT /products": {"products": [_PRODUCT], "variants": [_VARIANT]},
    "POST /webhooks": _object("active_yn name url event"),
    "PUT /webhooks": _object("id active_yn name url event"),
    "POST /orders/{order_number}/history": {"data": [_object("name value")]},
}


def unknown_fields(body: Any, tree: Tree, path: str = "") -> list[str]:
    """The fields of *body* that *tree* does not have."""
    if isinstance(tree, list):
        if not isinstance(body, list):
            return [f"{path} (not an array)"]
        return sorted({name for item in body for name in unknown_fields(item, tree[0], f"{path}[]")})
    if tree is None or body is None:
        return []
    if not isinstance(body, dict):
        return [f"{path} (not an object)"]
    found: list[str] = []
    for name, value in body.items():
        here = f"{path}.{name}" if path else name
        found += [here] if name not in tree else unknown_fields(value, tree[name], here)
    return found
