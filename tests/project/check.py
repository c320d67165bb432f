"""The part of `make check` that no tool brings: `python -m tests.project.check`. Prints every complaint."""

import sys

from tests.project import catalogues, citations, decisions, documents, matrix, models, review


def main() -> int:
    """0 if nobody complains."""
    found = [
        f"{subject}: {complaint}"
        for subject, look in (
            ("texts", catalogues.complaints),
            ("documents", documents.complaints),
            ("citations", citations.complaints),
            ("decisions", decisions.complaints),
            ("schema", models.complaints),
            ("review", review.complaints),
            ("matrix", matrix.complaints),
        )
        for complaint in look()
    ]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
