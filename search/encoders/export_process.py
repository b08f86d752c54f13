"""Run a model's export in a child process, write it into a temporary folder, and install that by a rename."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from search.errors import DataFolderError, ModelUnavailable
from search.system.processes import is_running

UNFINISHED = ".new-"  # and the number of the process that fills the folder
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}  # keeps the libraries from calling the model hub


class ExportFailed(Exception):
    """An exporter failed: its exit status, and the last line of its error output."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def install_model(models: Path, make: Callable[[Path], Path]) -> Path:
    """Install a model in the folder of models, replacing an older one, and return its folder.

    `make` fills the empty folder in its argument and returns the folder to install it as. Raises DataFolderError when
    the folder of models cannot be written.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(models)
        with tempfile.TemporaryDirectory(dir=models, prefix=f"{UNFINISHED}{os.getpid()}-") as temporary:
            made = Path(temporary) / "new"
            made.mkdir()
            folder = make(made)
            if folder.exists():
                folder.rename(Path(temporary) / "old")
            made.rename(folder)
    except OSError as error:
        raise DataFolderError(
            f"The folder of models {models} cannot be written: {error.strerror or error}.",
            hint="Free some space, or choose another data folder with `--data`.",
        ) from error
    return folder


def _remove_unfinished(models: Path) -> None:
    """Remove what exports left behind whose process is gone: it was killed, or the machine was switched off."""
    for folder in models.glob(f"{UNFINISHED}*"):
        owner = folder.name.removeprefix(UNFINISHED).partition("-")[0]
        if not owner.isdigit() or not is_running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def run_exporter(
    module: str, *arguments: str, what: str, seconds: float, offline: bool = True, hub_cache: Path | None = None
) -> str:
    """Run a module that exports a model in a child process, so that torch's memory is freed; return what it wrote.

    The child ends with this process, however that ends. `what` names the model in messages, `hub_cache` is where the
    hub's libraries look for files instead of their own cache. Raises ExportFailed when the module fails,
    ModelUnavailable when it takes more than `seconds`.
    """
    # -P keeps Python from importing a folder called `search` in the working directory.
    command = [sys.executable, "-P", "-m", module, *arguments]
    environment = os.environ | (OFFLINE if offline else {}) | {"CUDA_VISIBLE_DEVICES": ""}
    if hub_cache is not None:
        environment |= {"HF_HUB_CACHE": str(hub_cache)}
    alive, ours = os.pipe()  # closed by the system when this process ends: the child watches it
    try:
        done = subprocess.run(
            command, env=environment, stdin=alive, capture_output=True, text=True, check=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise ModelUnavailable(
            f"Exporting {what} took more than {seconds:.0f} seconds and was stopped.", hint="Run the command again."
        ) from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        raise ExportFailed(error.returncode, lines[-1] if lines else f"exit status {error.returncode}") from error
    finally:
        os.close(alive)
        os.close(ours)
    return done.stdout
