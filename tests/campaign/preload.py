"""Imports what any command imports, in the process that runs of commands are forked from."""

from importlib import import_module

import search.categories.library_audit
import search.categories.training  # noqa: F401
from web.cli.main import SECTIONS

for _module in sorted({entry.target.split(":")[0] for entries in SECTIONS.values() for entry in entries.values()}):
    import_module(_module)
