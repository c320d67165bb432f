"""Which query parameters and body fields of the published API v2 the sandbox carries out; all else is a violation.

A tree of names: a dict is an object, a list an array of objects, None a value.
"""

from typing import Any, TypeAlias

from upbridge_sandbox.seed.formats import names, nulls

Tree: TypeAlias = "dict[str, Any] | list[Any] | None"

PARAMETERS: dict[str, frozenset[str]] = {
    "GET /orders": names(
        "order_numbers creation_time_from creation_time_to last_update_time_from deleted_yn"
        " page order_by order_dir"
    ),
    "GET /products": names("product_ids last_update_time_from active_yn archived_yn page current_page_items"),
    "GET /products/parameters": names("product_ids page current_page_items"),
    "GET /shipments": names("page"),
    "GET /payments": names("page"),
}
ORDER = nulls("order_number external_order_number status_id tracking_code")
BODIES: dict[str, Tree] = {
    "PUT /orders": {**nulls("send_emails_yn send_sms_yn"), "orders": [ORDER]},
    "PUT /products": {"products": [nulls("code stock")], "variants": [nulls("code stock")]},
    "POST /webhooks": nulls("active_yn name url event"),
    "PUT /webhooks": nulls("id active_yn name url event"),
    "POST /orders/{order_number}/history": {"data": [nulls("name value")]},
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
