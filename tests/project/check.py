"""The part of `make check` that no tool brings: `python -m tests.project.check`. Prints every complaint.

`python -m tests.project.check texts documents` looks at these subjects only.
"""

import sys
from collections.abc import Callable, Iterable, Mapping

from tests.project import (
    attacks,
    bounds,
    catalogues,
    citations,
    container,
    dead_code,
    decisions,
    deployment,
    documents,
    matrix,
    models,
    monitoring,
    own_tests,
    reference,
    review,
    sizes,
    system_names,
    tables,
    words,
)

SUBJECTS: Mapping[str, Callable[[], Iterable[str]]] = {
    "texts": catalogues.complaints,
    "documents": documents.complaints,
    "citations": citations.complaints,
    "decisions": decisions.complaints,
    "schema": models.complaints,
    "code": dead_code.complaints,
    "tables": tables.complaints,
    "systems": system_names.complaints,
    "container": container.complaints,
    "sizes": sizes.complaints,
    "tests": own_tests.complaints,
    "words": words.complaints,
    "review": review.complaints,
    "reference": reference.complaints,
    "matrix": matrix.complaints,
    "monitoring": monitoring.complaints,
    "attacks": attacks.complaints,
    "bounds": bounds.complaints,
    "deployment": deployment.complaints,
}


def main(subjects: Iterable[str]) -> int:
    """0 if there is no complaint about *subjects*."""
    found = [f"{subject}: {complaint}" for subject in subjects for complaint in SUBJECTS[subject]()]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.stderr.write("".join(f"{line}\n" for line in deployment.notes()))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or SUBJECTS))
