"""A listening socket that a supervisor holds: it takes connections also while the web side starts again.

The words are systemd's (`sd_listen_fds`): LISTEN_PID is who it is for, LISTEN_FDS how many there are, from
descriptor 3 on. With `upbridge-web.socket` a restart refuses no connection: those that come wait in the kernel.
"""

import os
import socket
from collections.abc import MutableMapping

from upbridge.core.errors import UpbridgeError

#: Before it are the three that every process has.
DESCRIPTOR = 3


class CannotListen(UpbridgeError):
    """Another process listens there, or this one may not."""

    code = "cannot_listen"


def held_socket(environ: MutableMapping[str, str]) -> socket.socket | None:
    """The socket that this process was given; None if it has to make one. What said so is taken from *environ*, so
    that no child takes it for its own. Raises `CannotListen` if there are several, or it is none that listens."""
    number, whose = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    if whose != str(os.getpid()):
        return None
    if number != "1":
        raise CannotListen(f"one listening socket is served, and {number or 'no'} were given (LISTEN_FDS)")
    try:
        given = socket.socket(fileno=DESCRIPTOR)
        listens = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise CannotListen(f"the socket that was given cannot be used ({error.strerror})") from error
    if not listens:
        raise CannotListen("the socket that was given does not listen (in a unit of systemd: Accept=no)")
    return given
