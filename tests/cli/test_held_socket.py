"""The web side serves a socket that systemd holds: what calls while it starts again waits, and is answered."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from upbridge.cli.held_socket import DESCRIPTOR, CannotListen, held_socket


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """What systemd would hold."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def web_side(listening: socket.socket, folder: Path) -> subprocess.Popen[bytes]:
    """`upbridge serve` with the socket where systemd puts it."""
    number = listening.fileno()
    place = f"exec {DESCRIPTOR}<&{number}; LISTEN_FDS=1 LISTEN_PID=$$ exec " + '"$@"'
    program = [sys.executable, "-m", "upbridge", "serve", "--port", "9"]
    return subprocess.Popen(
        ["bash", "-c", place, "bash", *program],
        cwd=folder,
        pass_fds=[number],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.usefixtures("environment")
def test_a_call_that_comes_while_no_web_process_is_there_is_answered_by_the_next_when_that_is_ready(
    listening: socket.socket, tmp_path: Path
) -> None:
    host, port = listening.getsockname()
    with socket.create_connection((host, port), timeout=60) as caller:
        caller.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        process = web_side(listening, tmp_path)
        try:
            answer = caller.recv(12)
            after = httpx.get(f"http://{host}:{port}/livez", timeout=60)
        finally:
            process.terminate()
            code = process.wait(30)

    assert answer == b"HTTP/1.1 200"
    assert after.status_code == 200
    assert code in (0, -15)  # as it ends without such a socket


def test_a_socket_that_is_for_another_process_is_left_alone() -> None:
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1)}

    assert held_socket(environ) is None
    assert environ == {}


def test_more_than_one_socket_is_refused_in_one_line() -> None:
    with pytest.raises(CannotListen, match="one listening socket is served, and 2 were given"):
        held_socket({"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())})
