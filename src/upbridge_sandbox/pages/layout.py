"""What all pages have in common: the templates, the page around each, and a table's pages."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from upbridge_sandbox.control.context import Controls

ROWS = 40

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["as_json"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)


class Pages(Controls):
    """Pages find things as the control API does; each of them raises `Missing`."""

    def page(self, title: str, template: str, status: int = 200, **values: Any) -> Response:
        """*template* with *values*."""
        violations = self.state.call_log.violations
        text = _TEMPLATES.get_template(template).render(
            title=title, violations=violations, mails=len(self.state.mail_box.received), **values
        )
        return HTMLResponse(text, status)

    def message(self, title: str, text: str, status: int, kind: str = "") -> Response:
        """A page that says one thing."""
        return self.page(title, "message.html", status, text=text, kind=kind)


def newest(things: dict[Any, Any]) -> list[Any]:
    """The last of *things*, the newest first, as many as a page shows."""
    return list(reversed(things.values()))[:ROWS]
