"""A mail says the same as plain text and as HTML, and what others wrote never becomes HTML."""

from upbridge.mail.composing import Content, Item, MailPart, as_html, as_plain

STOP = "https://upbridge.example/ui/mail/" + "x" * 70
CONTENT = Content(
    language="en",
    subject="Upbridge: Needs your attention",
    heading="Needs your attention",
    opening="Shop <b>Garde</b> & sons",
    parts=(MailPart("What has happened", (Item("The shop does not answer", "word " * 30), Item("Well again"))),),
    button=("Open the admin", "https://shop.admin.s1.upgates.com/"),
    closing=("You find the add-on among the add-ons.",),
    stop_words="Stop these mails",
    stop=STOP,
)


def test_both_forms_have_everything() -> None:
    plain, html = as_plain(CONTENT), as_html(CONTENT)

    for said in (
        "Needs your attention",
        "The shop does not answer",
        "Open the admin",
        "among the add-ons",
        CONTENT.stop,
    ):
        assert said is not None
        assert said in plain
        assert said in html


def test_plain_text_fits_its_lines_and_breaks_no_address() -> None:
    lines = as_plain(CONTENT).splitlines()

    assert [line for line in lines if len(line) > 76] == [STOP]
    assert "  word word" in as_plain(CONTENT)


def test_what_others_wrote_is_text() -> None:
    html = as_html(CONTENT)

    assert "Shop &lt;b&gt;Garde&lt;/b&gt; &amp; sons" in html
    assert "<b>Garde" not in html
