"""What a mail says, once; and the two forms of it, plain text and HTML that fetches nothing."""

from dataclasses import dataclass
from functools import cache
from textwrap import fill

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from upbridge.core.package_files import package_file

_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that the mail tells: what it is, and what belongs to it."""

    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class MailPart:
    """Things of one kind, under a heading."""

    heading: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a mail says."""

    language: str
    subject: str
    heading: str
    opening: str = ""
    parts: tuple[MailPart, ...] = ()
    button: tuple[str, str] | None = None
    """What the link is called, and where it leads."""
    closing: tuple[str, ...] = ()
    stop_words: str = ""
    stop: str | None = None
    """Where such mails are ended, behind *stop_words*."""


def as_plain(content: Content) -> str:
    """The mail as plain text, in lines that every program shows whole."""
    blocks = [content.heading, *filter(None, [content.opening])]
    for part in content.parts:
        blocks.append(part.heading.upper())
        blocks += [
            "\n".join(filter(None, ["* " + item.title, item.text and "  " + item.text])) for item in part.items
        ]
    if content.button is not None:
        blocks.append("{}:\n{}".format(*content.button))
    blocks += content.closing
    if content.stop is not None:
        blocks.append(f"{content.stop_words}:\n{content.stop}")
    return "\n\n".join(_wrapped(block) for block in blocks) + "\n"


def _wrapped(block: str) -> str:
    return "\n".join(_line(line) for line in block.splitlines())


def _line(line: str) -> str:
    if line.startswith(("http://", "https://")):
        return line
    indent = "  " if line.startswith(("* ", "  ")) else ""
    return fill(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def as_html(content: Content) -> str:
    """The mail as HTML: no image, no script, no style sheet from elsewhere; it fits 320 pixels."""
    return _template().render(mail=content)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(package_file("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("mail.html")
