"""A site that sets cookies, to prove what a browser does with those of third parties."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_COOKIES = (
    "plain=1; Path=/",
    "cross=1; Path=/; SameSite=None; Secure",
    "apart=1; Path=/; SameSite=None; Secure; Max-Age=600",
)


class _Site(BaseHTTPRequestHandler):
    """`/frame` frames `/set` of the other name of this host; `/set` sets cookies; `/echo` says which came."""

    def do_GET(self) -> None:
        port = self.headers["Host"].rpartition(":")[2]
        cookies = _COOKIES if self.path == "/set" else ()
        body = {
            "/frame": f'<iframe src="http://127.0.0.1:{port}/set"></iframe>',
            "/set": '<p>set</p><a href="/echo">echo</a>',
            "/echo": f"<p>came: {self.headers.get('Cookie', 'nothing')}</p>",
        }.get(self.path, "")
        self.send_response(200)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def cookie_site() -> Iterator[int]:
    """The port of a site that sets cookies."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
