"""Make the pages of docs/reference anew."""

from tests.project.reference import write

write()
