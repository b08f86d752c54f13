"""The installed distribution: its version, its extras, what to type when one is missing, and where its data goes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_data_path

from search.errors import MissingExtra

__version__ = version("memetica")
_SOURCE = Path(__file__).resolve().parents[2]  # a clone, or the environment's site-packages


def default_data_folder() -> Path:
    """Return the data folder that is used when none is named: `.memetica` in the working folder, or the user's own.

    `.memetica` is taken where it is a folder, and always by a Memetica that runs from a clone. An installed command
    answers from every working folder; its data is where the system keeps a user's data of applications.

    >>> str(default_data_folder())  # the tests run from a clone
    '.memetica'
    """
    here = Path(".memetica")
    if here.is_dir() or (_SOURCE / "pyproject.toml").is_file():
        return here
    return user_data_path("memetica", appauthor=False)


def require_extra(extra: str, modules: Sequence[str], *, purpose: str) -> None:
    """Raise MissingExtra, with the command that installs it, unless all modules of an extra are installed.

    >>> require_extra("parquet", ["no_such_module"], purpose="Parquet files")
    Traceback (most recent call last):
        ...
    search.errors.MissingExtra: Parquet files need no_such_module, which is not installed.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"{purpose} need {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            hint=f"Install the extra `{extra}`: {install_command(extra)}",
        )


def install_command(extra: str) -> str:
    """Return the shell command that installs an extra's packages into the environment that runs this program.

    It names the packages and not Memetica, so that it is right for a clone, a tool and a package alike.
    """
    found = _requirements(extra) or [f"memetica[{extra}]"]
    pip = [sys.executable, "-m", "pip", "install"]
    if find_spec("pip") is None:  # uv makes environments without it
        pip = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*pip, *found])


def _requirements(extra: str) -> list[str]:
    try:
        listed = requires("memetica") or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        return []
    parts = [line.partition(";") for line in listed]
    return [name.strip() for name, _, marker in parts if f'extra == "{extra}"' in marker.replace("'", '"')]
