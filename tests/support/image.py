"""The image as a platform runs it: built by `make image`, read-only, as a user of no rights, without a network."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet

#: What is asked of the platform: nothing but a folder for what is thrown away.
_BARE = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--network=none"]


def builder_with(base: str) -> str | None:
    """The program here that has the image *base*; tests fetch nothing from outside."""
    for name in filter(shutil.which, ("docker", "podman")):
        asked = subprocess.run([name, "image", "inspect", base], capture_output=True, check=False)
        if asked.returncode == 0:
            return name
    return None


def build(builder: str, tag: str, top: Path) -> None:
    """Make the image *tag* of the checkout at *top*."""
    command = ["make", "image", f"IMAGE={tag}", f"BUILDER={builder}"]
    subprocess.run(command, cwd=top, check=True, capture_output=True)


def size_of(builder: str, tag: str) -> int:
    """Bytes of the image *tag*, those of the images below it included."""
    return int(_said(builder, "image", "inspect", "--format", "{{.Size}}", tag))


@contextmanager
def pod(builder: str, tag: str, socket: Path, address: str) -> Iterator[Callable[..., str]]:
    """Call it with a command: what that printed, or the container's name with `detached=True`. All end at the end.

    The database at *address* is reached by its socket in the folder *socket* alone.
    """
    given = {
        "UPBRIDGE_DATABASE_URL": address,
        "UPBRIDGE_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "UPBRIDGE_SIGNATURE_TOKEN": "of-this-test",
        "UPBRIDGE_PUBLIC_URL": "https://upbridge.example",
    }
    settings = [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
    begun: list[str] = []

    def run(*command: str, detached: bool = False) -> str:
        how = "--detach" if detached else "--rm"
        said = _said(builder, "run", how, *_BARE, "--volume", f"{socket}:{socket}", *settings, tag, *command)
        begun.extend([said] if detached else [])
        return said

    yield run
    for name in begun:
        _said(builder, "rm", "--force", name)


def until_it_succeeds(builder: str, container: str, *command: str) -> None:
    """Return as soon as *command* ends with 0 within *container*; raises after a minute."""
    again = 'until "$@" > /dev/null 2>&1; do sleep 1; done'
    _said(builder, "exec", container, "timeout", "60", "sh", "-c", again, "sh", *command)


def until_it_ends(builder: str, container: str, *command: str) -> str:
    """What *command* prints within *container*, however it ends."""
    return subprocess.run(
        [builder, "exec", container, *command], capture_output=True, text=True, check=False
    ).stdout


def health_of(builder: str, tag: str) -> list[str]:
    """The command by which the platform asks a container of *tag* whether it is well."""
    words = _said(builder, "image", "inspect", "--format", '{{join .Config.Healthcheck.Test "\\n"}}', tag)
    return words.splitlines()[1:]


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
