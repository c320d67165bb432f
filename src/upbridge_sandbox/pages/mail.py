"""The mail box: what was sent, as a reader would see it, and the faults of the mail server."""

from starlette.responses import HTMLResponse, Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.control.context import found
from upbridge_sandbox.mail_box import MailFault, Received
from upbridge_sandbox.pages.layout import Pages

#: Links open, nothing runs.
_SANDBOX = "sandbox allow-popups allow-top-navigation-by-user-activation"


class MailPages(Pages):
    """The list, one mail, its HTML alone."""

    async def box(self, _call: Call) -> Response:
        """What was sent, newest first."""
        box = self.state.mail_box
        return self.page(
            "Mail", "mails.html", sent=list(reversed(box.received)), fault=box.fault, faults=MailFault
        )

    async def one(self, call: Call) -> Response:
        """One mail: headers, HTML in a frame, plain text."""
        mail = self._mail(call)
        return self.page(mail.subject, "mail.html", mail=mail, headers=mail.message.items())

    async def html(self, call: Call) -> Response:
        """The mail's HTML alone, which may load and run nothing."""
        policy = f"default-src 'none'; style-src 'unsafe-inline'; {_SANDBOX}"
        return HTMLResponse(self._mail(call).body("html"), headers={"Content-Security-Policy": policy})

    def _mail(self, call: Call) -> Received:
        wanted = call.path_params["id"]
        one = (mail for mail in self.state.mail_box.received if str(mail.id) == wanted)
        return found(next(one, None), f"mail {wanted}")
