"""Does a commit's message say what changed and why? A hook for `git commit`, and a check of a range of commits.

python -m tests.project.commits .git/COMMIT_EDITMSG
python -m tests.project.commits origin/main..HEAD
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.project.documents import TOP

LONGEST_SUBJECT = 72
LONGEST_LINE = 100

_TRAILER = re.compile(r"^[A-Z][A-Za-z-]+: ")
_ADDRESS = re.compile(r"https?://\S")
_MADE_BY_GIT = re.compile(r"^(Merge|Revert|fixup!|squash!) ?")


def complaints(message: str) -> Iterator[str]:
    """What is wrong with *message*, as git hands it to the hook: comments and all."""
    lines = [line.rstrip() for line in message.splitlines() if not line.startswith("#")]
    subject, rest = (lines[0], lines[1:]) if lines else ("", [])
    if _MADE_BY_GIT.match(subject):
        return
    if not subject:
        yield "there is no subject"
    if len(subject) > LONGEST_SUBJECT:
        yield f"the subject has {len(subject)} characters, {len(subject) - LONGEST_SUBJECT} too many"
    if subject and not subject[0].isupper():
        yield "the subject does not begin with a capital letter"
    if subject.endswith("."):
        yield "the subject ends with a full stop"
    if rest and rest[0]:
        yield "the second line is not empty"
    body = [line for line in rest if line and not _TRAILER.match(line)]
    if not body:
        yield "no body says why"
    yield from (
        f"too long a line: {line[:40]}…" for line in body if len(line) > LONGEST_LINE and not _ADDRESS.search(line)
    )


def messages(commits: str) -> Iterator[tuple[str, str]]:
    """Name and message of each commit in the range *commits*."""
    command = ["git", "log", "--no-merges", "--format=%h%x01%B%x00", commits]
    shown = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout
    for entry in shown.split("\0"):
        name, found, message = entry.strip().partition("\x01")
        if found:
            yield name, message


def main(what: str) -> int:
    """0 if the message in the file *what*, or each message in the range *what*, is as it should be."""
    path = Path(what)
    named = [("this message", path.read_text())] if path.is_file() else messages(what)
    found = [f"{name}: {complaint}" for name, message in named for complaint in complaints(message)]
    sys.stderr.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
