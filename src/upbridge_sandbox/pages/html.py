"""The few pieces of HTML that the simulated administration is made of."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from upbridge_sandbox.door import Call, Json

ROWS = 40
STYLE = """
:root{--ink:#22303c; --dim:#6b7a88; --line:#dfe5ea; --paper:#fff; --back:#f3f6f8; --blue:#1f6feb;
--green:#1a7f4b; --red:#b3261e}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
header{background:#16324f; color:#fff; padding:.7rem 1.5rem; display:flex; gap:1.4rem; align-items:baseline;
flex-wrap:wrap}
header b{font-size:1.05rem}
header a{color:#cfe2f5;text-decoration:none}
header a:hover{color:#fff}
main{max-width:78rem;margin:1.2rem auto;padding:0 1.2rem}
h1{font-size:1.35rem;margin:.2rem 0 .8rem}
h2{font-size:1.05rem;margin:1.4rem 0 .5rem}
section,.card{background:var(--paper); border:1px solid var(--line); border-radius:8px; padding:1rem 1.2rem;
margin:0 0 1rem}
table{border-collapse:collapse;width:100%}
th{text-align:left;color:var(--dim);font-weight:500;font-size:.85rem}
td,th{padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:middle}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
tr:last-child td{border-bottom:0}
button,.button{background:var(--blue); color:#fff; border:0; border-radius:6px; padding:.4rem .8rem;
font:inherit; cursor:pointer; text-decoration:none; display:inline-block}
button.quiet{background:#e6edf3;color:var(--ink)}
button.bad{background:#fbe9e7;color:var(--red)}
input,select{font:inherit; padding:.3rem .45rem; border:1px solid #c5ced6; border-radius:6px; background:#fff;
max-width:100%}
input[type=number],input.short{width:6rem}
form{display:inline}
.row{display:flex;gap:.6rem;flex-wrap:wrap;align-items:center}
.dim{color:var(--dim)}
.ok{color:var(--green)}
.bad{color:var(--red)}
.pill{border-radius:99px;padding:.05rem .6rem;font-size:.85rem;background:#e6edf3}
.pill.ok{background:#e3f3ea}
.pill.bad{background:#fbe9e7}
.note{background:#fff8e1;border:1px solid #f0dfa5;border-radius:8px;padding:.6rem 1rem;margin-bottom:1rem}
iframe{width:100%;height:46rem;border:1px solid var(--line);border-radius:8px;background:#fff}
nav a{margin-right:1rem}
main a{color:var(--blue)}
main a.button{color:#fff}
pre{overflow:auto;background:#f7f9fa;padding:.7rem;border-radius:6px;font-size:.85rem}
label{color:var(--dim)}
"""


class Html:
    """Text that is HTML already; put into an f-string it stays as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table; a head that begins with # is a number's."""
    heads = tuple(heads)
    numeric = [head.startswith("#") for head in heads]
    top = "".join(
        f"<th{' class=n' if is_number else ''}>{escape(head.lstrip('#'))}</th>"
        for head, is_number in zip(heads, numeric, strict=True)
    )
    lines = []
    for row in rows:
        cells = []
        for cell, is_number in zip(row, numeric, strict=True):
            text = cell.text if isinstance(cell, Html) else escape(str(cell))
            cells.append(f"<td{' class=n' if is_number else ''}>{text}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><tr>{top}</tr>{''.join(lines)}</table>" if lines else "<p class=dim>Nothing yet.</p>"


def link(path: str, text: str) -> Html:
    return Html(f'<a href="{escape(path, quote=True)}">{escape(text)}</a>')


def pill(text: str, kind: str = "") -> Html:
    return Html(f'<span class="pill {kind}">{escape(text)}</span>')


def button(value: str, text: str, kind: str) -> str:
    """A form that is one button."""
    return f"<form method=post>{do(value, text, kind)}</form>"


def do(value: str, text: str, kind: str = "quiet") -> str:
    """A button of a form; `do` says what was pressed."""
    return f'<button class="{kind}" name=do value="{_quoted(value)}">{escape(text)}</button>'


def hidden(name: str, value: Any) -> str:
    """A value that a form carries along."""
    return f'<input type=hidden name={name} value="{_quoted(value)}">'


def entry(name: str, value: Any, *, kind: str = "text", hint: str = "", size: int = 0) -> str:
    """A field to type into."""
    width = f" size={size}" if size else " class=short"
    step = " step=any" if kind == "number" else ""
    return f'<input type={kind} name={name} value="{_quoted(value)}" placeholder="{_quoted(hint)}"{width}{step}>'


def form(*parts: str, method: str = "post") -> str:
    """A form on one line."""
    return f"<form method={method} class=row>{''.join(parts)}</form>"


def _quoted(value: Any) -> str:
    return escape(str(value), quote=True)


def post(path: str, value: str, text: str, kind: str) -> Html:
    return Html(f'<form method=post action="{escape(path, quote=True)}">{do(value, text, kind)}</form>')


def select(name: str, options: Iterable[tuple[str, str]], chosen: str) -> str:
    rows = "".join(
        f'<option value="{_quoted(value)}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in options
    )
    return f"<select name={name}>{rows}</select>"


def paged(call: Call, rows: list[Json], path: str, wanted: str) -> tuple[list[Json], str]:
    asked = call.last("page") or "1"
    number = int(asked) if asked.isdigit() and int(asked) > 0 else 1
    last = max(1, -(-len(rows) // ROWS))
    shown = rows[(number - 1) * ROWS : number * ROWS]
    links = "".join(
        f'<a href="{path}?page={page}&q={escape(wanted, quote=True)}">{text}</a> '
        for page, text in ((number - 1, "← back"), (number + 1, "further →"))
        if 1 <= page <= last
    )
    return shown, f"<p class=dim>{len(rows)} in all, page {number} of {last}. {links}</p>"


def number_or_none(text: str | None) -> int | float | None:
    if not text:
        return None
    value = float(text)
    return int(value) if value == int(value) else value


def pretty(value: Json) -> str:
    return f"<pre>{escape(json.dumps(value, ensure_ascii=False, indent=1))}</pre>"
