"""Models made ready once, for a runtime without torch: where their weights are here, or can be had from the hub."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from search.clip.choices import Source, source_of, weights_of
from search.clip.model import ClipManifest, folder_of, read_manifest, ready_models
from search.errors import DataFolderError, ModelUnavailable

HUB_SECONDS = 4.0  # that the hub has to answer in
EXPORT_SECONDS = 3600  # gigabytes may have to come first
LOST = "Words do not find pictures without it; search by words, meaning and look works all the same."
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def ready(models: Path, spec: str) -> ClipManifest | None:
    """Return the manifest of what a setting's value names, None while it has to be made ready; raise WrongUse."""
    source = source_of(spec)
    weights = weights_of(source)
    for _, manifest in ready_models(models):
        if manifest.spec == source.spec and (not source.is_local or manifest.weights_from == weights):
            return manifest
    return None


def make_ready(models: Path, spec: str, *, threads: int = 0) -> ClipManifest:
    """Make ready what a setting's value names, unless it is; return its manifest.

    In a process of its own, so that torch's memory is gone afterwards. Raises ModelUnavailable within seconds when the
    weights are not here and the hub cannot be reached, WrongUse when nothing is named, DataFolderError when the folder
    of models cannot be written.
    """
    source = source_of(spec)
    found = ready(models, spec)
    if found is not None:
        return found
    offline = source.is_local or not hub_answers()
    if offline and not source.is_local and not any(hub_cache().glob("models--*")):
        raise _out_of_reach(source)
    try:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix=".clip-") as aside:
            made = Path(aside) / "new"
            made.mkdir()
            _export(source, made, threads=threads, offline=offline)
            manifest = read_manifest(made)
            folder = folder_of(models, manifest.name)
            if folder.exists():
                folder.rename(Path(aside) / "old")
            made.rename(folder)
    except OSError as error:
        raise DataFolderError(
            f"The folder of models {models} cannot be written: {error.strerror or error}.",
            hint="Make room, or choose another data folder with `--data`.",
        ) from error
    return manifest


def hub_answers(*, seconds: float = HUB_SECONDS) -> bool:
    """Return whether the model hub can be reached, within so many seconds."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        return False
    import httpx

    try:
        httpx.head(hub_address(), timeout=seconds, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return True


def hub_address() -> str:
    """Return the model hub's address."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co")


def hub_cache() -> Path:
    """Return the folder that weights from the hub are kept in, shared by all programs that use it."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def _export(source: Source, folder: Path, *, threads: int, offline: bool) -> None:
    # -P keeps a folder called `search` in the working directory from being taken for ours.
    command = [sys.executable, "-P", "-m", "search.clip.exporting", source.spec, str(folder), str(threads)]
    environment = os.environ | (OFFLINE if offline else {}) | {"CUDA_VISIBLE_DEVICES": ""}
    try:
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=EXPORT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ModelUnavailable(
            f"Making {source.spec} ready took more than {EXPORT_SECONDS / 60:.0f} minutes and was stopped.",
            hint="Run the command again.",
        ) from error
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.splitlines() if line.strip()]
        reason = said[-1] if said else f"it ended with {error.returncode}"
        if offline and not source.is_local and "not found" not in reason:
            raise _out_of_reach(source) from error
        raise ModelUnavailable(f"The image encoder {source.spec} cannot be had: {reason}", hint=LOST) from error


def _out_of_reach(source: Source) -> ModelUnavailable:
    return ModelUnavailable(
        f"The weights of {source.spec} are not on this machine, and the model hub {hub_address()} does not answer.",
        hint=f"{LOST} Run the command again when the hub answers, or name a checkpoint: {source.model}@/path/to/file.",
    )
