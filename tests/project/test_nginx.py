"""The nginx example, by a real nginx in front of a web side of a few lines. Skipped where there is no nginx."""

import datetime as dt
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.project.deployment import NGINX
from tests.support.web_side import free_port, web_side

PROGRAM = shutil.which("nginx")
NAME = "upbridge.example.com"
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs nginx; on Debian: apt install nginx-light")


def make_certificate(folder: Path) -> None:
    """A certificate that proves nothing, where the example expects one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    signed = made.sign(key, hashes.SHA256())
    (folder / "fullchain.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


class Proxy:
    """nginx with our file on ports of its own; what it logs is in *log*."""

    def __init__(self, folder: Path) -> None:
        self.port, self.plain, self.upstream = free_port(), free_port(), free_port()
        self.folder, self.log = folder, folder / "upbridge.error.log"
        make_certificate(folder)
        site = NGINX.read_text().replace("/etc/ssl/upbridge", str(folder)).replace("/var/log/nginx", str(folder))
        for ours, here in (
            ("127.0.0.1:8000", f"127.0.0.1:{self.upstream}"),
            ("listen 443", f"listen 127.0.0.1:{self.port}"),
            ("listen 80;", f"listen 127.0.0.1:{self.plain};"),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("    listen [::]:80;\n", ""),
        ):
            assert ours in site
            site = site.replace(ours, here)
        places = "".join(
            f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/main.log;"
            f" events {{}} http {{ access_log off; {places} {site} }}"
        )

    @contextmanager
    def running(self) -> Iterator[httpx.Client]:
        """It listens; a caller that trusts anything."""
        assert PROGRAM is not None
        process = subprocess.Popen([PROGRAM, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")])
        try:
            while process.poll() is None:
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", self.port)) == 0:
                        break
            trusting = ssl.create_default_context()
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            with httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=trusting, timeout=30) as client:
                yield client
        finally:
            process.terminate()
            process.wait(20)


def test_the_world_sees_the_product_over_tls_and_no_address_is_logged(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path)
    with proxy.running() as world:
        with web_side(proxy.upstream):
            hidden = [world.get(path).status_code for path in ("/metrics", "/readyz", "/%6detrics", "/metrics/x")]
            shown = [world.post(path, content=b"{}") for path in ("/webhooks/upgates/x/y", "/ui/metrics")]
            plain = httpx.get(f"http://127.0.0.1:{proxy.plain}/ui/x", trust_env=False)
        away = world.post("/webhooks/upgates/x/SECRET-TOKEN", content=b"{}")

    assert hidden == [404] * len(hidden)
    assert [one.status_code for one in shown] == [200, 200]
    assert all("strict-transport-security" in one.headers for one in (*shown, away))
    assert (plain.status_code, plain.headers["location"]) == (301, f"https://{NAME}/ui/x")
    assert away.status_code == 502
    logs = "".join(path.read_text(errors="replace") for path in tmp_path.glob("*.log"))
    assert "SECRET-TOKEN" not in logs
