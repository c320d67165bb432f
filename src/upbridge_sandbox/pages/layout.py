"""The frame around every page: the head with its links, and a shop's tabs."""

from html import escape

from starlette.responses import HTMLResponse, Response

from upbridge_sandbox.control.context import Context
from upbridge_sandbox.pages.html import STYLE, link
from upbridge_sandbox.shop import Shop


class Layout:
    """What all pages have in common."""

    def __init__(self, context: Context) -> None:
        self.m = context
        self.state = context.state

    def tabs(self, shop: Shop) -> str:
        names = (("", "Add-on"), ("/products", "Products"), ("/orders", "Orders"), ("/deliveries", "Webhooks"))
        links = "".join(link(f"/shops/{shop.name}{path}", name).text for path, name in names)
        return f"<nav>{links}</nav><p></p>"

    def page(self, title: str, body: str, status: int = 200) -> Response:
        broken = len(self.state.ledger.violations)
        links = "".join(
            f'<a href="{path}">{name}</a>'
            for path, name in (("/", "Shops"), ("/faults", "Faults"), ("/violations", f"Rules broken: {broken}"))
        )
        return HTMLResponse(
            f'<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">'
            f"<title>{escape(title)}</title><style>{STYLE}</style>"
            f"<header><b>Simulated Upgates</b>{links}</header><main><h1>{escape(title)}</h1>{body}</main></html>",
            status,
        )
