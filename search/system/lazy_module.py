"""Large modules that are imported when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class LazyModule:
    """A module by its name, imported when a member of it is first asked for, by any thread.

    OpenCV takes 24 MB and SciPy's sparse matrices 25 MB that a server which only searches does not need.
    `lazy_loader.load` is not for threads: until Python 3.11.9 and 3.12.3 a second thread may see half a module.

    >>> json = LazyModule("json")
    >>> json.loads("[1]")
    [1]
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, member: str) -> Any:
        found = getattr(import_module(self._name), member)
        setattr(self, member, found)  # the next time without this call
        return found
