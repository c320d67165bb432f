"""What a reader sees of a description in HTML, as text on one line. Pure."""

from html.parser import HTMLParser

#: What a browser takes for its own, and does not show.
_NOT_SHOWN = frozenset({"iframe", "noscript", "script", "style", "template", "title"})
#: Before and behind these a new line begins; anything else stands within one.
_LINES = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "select",
        "summary",
        "table",
        "tbody",
        "td",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)


def shown_text(description: str | None) -> str | None:
    """What a reader of *description* (HTML) sees, as text on one line; None if that is nothing.

    Words of two paragraphs, lines or cells stay two words.
    """
    if description is None:
        return None
    page = _Page()
    before, opened, rest = description.rpartition("<!--")
    page.feed(description if not opened or "-->" in rest else before)  # a browser shows nothing behind it
    page.close()
    return " ".join("".join(page.shown).split()) or None


class _Page(HTMLParser):
    """Collects what is shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shown: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NOT_SHOWN:
            self._hidden.append(tag)
        self._line(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
        self._line(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.shown.append(data)

    def _line(self, tag: str) -> None:
        if tag in _LINES:
            self.shown.append(" ")
