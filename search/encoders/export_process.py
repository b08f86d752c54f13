"""Models that are exported once: by a process of its own, made aside, put in place by a rename."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from search.errors import DataFolderError, ModelUnavailable

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}  # what is not here is not asked for


class ExportFailed(Exception):
    """An exporter ended without its work done: its exit status, and the last that it said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said


def exported(models: Path, make: Callable[[Path], Path]) -> Path:
    """Return the folder that a model was put into, in place of what was there: `make` fills an empty one and names it.

    Raises DataFolderError when the folder of models cannot be written.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix=".new-") as aside:
            made = Path(aside) / "new"
            made.mkdir()
            folder = make(made)
            if folder.exists():
                folder.rename(Path(aside) / "old")
            made.rename(folder)
    except OSError as error:
        raise DataFolderError(
            f"The folder of models {models} cannot be written: {error.strerror or error}.",
            hint="Make room, or choose another data folder with `--data`.",
        ) from error
    return folder


def run_exporter(module: str, *given: str, what: str, seconds: float, offline: bool = True) -> None:
    """Run a module that exports a model, so that torch's memory is gone afterwards.

    Raises ExportFailed when it fails, ModelUnavailable when it takes longer.
    """
    # -P keeps a folder called `search` in the working directory from being taken for ours.
    command = [sys.executable, "-P", "-m", module, *given]
    environment = os.environ | (OFFLINE if offline else {}) | {"CUDA_VISIBLE_DEVICES": ""}
    try:
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise ModelUnavailable(
            f"Exporting {what} took more than {seconds:.0f} seconds and was stopped.", hint="Run the command again."
        ) from error
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.splitlines() if line.strip()]
        raise ExportFailed(error.returncode, said[-1] if said else f"it ended with {error.returncode}") from error
