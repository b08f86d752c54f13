"""Export a CLIP model once, from local weights or the model hub, so that it runs without torch."""

from __future__ import annotations

import os
from pathlib import Path

from search.encoders.clip import ClipManifest, model_folder, prepared_models, read_manifest
from search.encoders.clip_models import ModelSource, local_weights, parse_model_spec
from search.encoders.export_process import ExportFailed, install_model, run_exporter
from search.errors import ModelUnavailable, WrongUse

HUB_SECONDS = 4.0  # longest wait for an answer from the hub
EXPORT_SECONDS = 3600  # includes the download of gigabytes of weights
WITHOUT_IT = "Without it, words do not find pictures; search by words, meaning and look still works."
WEIGHTS_MISSING = 3  # the exporter's exit status when weights cannot be loaded


def find_prepared(models: Path, spec: str) -> ClipManifest | None:
    """Return the manifest of the exported model that a specification names, None when it is not exported yet.

    Raises WrongUse when the specification names no model.
    """
    source = parse_model_spec(spec)
    weights = local_weights(source)
    for _, manifest in prepared_models(models):
        if (
            manifest.spec == source.spec
            and manifest.made_with.get("recipe", "") == source.recipe
            and (not source.is_local or manifest.weights_from == weights)
        ):
            return manifest
    return None


def prepare_clip(models: Path, spec: str, *, threads: int = 0) -> ClipManifest:
    """Export the model that a specification names unless that is done; return its manifest.

    Runs in a child process, so that torch's memory is freed. Raises ModelUnavailable, within seconds when the weights
    are not on this machine and the hub does not answer; WrongUse when the specification names no model;
    DataFolderError when the folder of models cannot be written.
    """
    source = parse_model_spec(spec)
    found = find_prepared(models, spec)
    if found is not None:
        return found
    offline = source.is_local or not hub_is_reachable()
    if offline and not source.is_local and not any(hub_cache().glob("models--*")):
        raise _out_of_reach(source)

    def make(made: Path) -> Path:
        _export(source, made, threads=threads, offline=offline)
        return model_folder(models, read_manifest(made).name)

    return read_manifest(install_model(models, make))


def hub_is_reachable(*, seconds: float = HUB_SECONDS) -> bool:
    """Return whether the model hub answers within `seconds`."""
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
    """Return the folder of weights downloaded from the hub, which all programs that use the hub share."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def _export(source: ModelSource, folder: Path, *, threads: int, offline: bool) -> None:
    arguments = (source.spec, str(folder), str(threads))
    try:
        run_exporter(
            "search.encoders.clip_export", *arguments, what=source.spec, seconds=EXPORT_SECONDS, offline=offline
        )
    except ExportFailed as error:
        if error.status == WrongUse.exit_code:
            raise WrongUse(error.message) from error
        if error.status == WEIGHTS_MISSING and offline and not source.is_local:
            raise _out_of_reach(source) from error
        raise ModelUnavailable(
            f"The image encoder {source.spec} cannot be prepared: {error.message}", hint=WITHOUT_IT
        ) from error


def _out_of_reach(source: ModelSource) -> ModelUnavailable:
    return ModelUnavailable(
        f"The weights of {source.spec} are not on this machine, and the model hub {hub_address()} does not answer.",
        hint=f"{WITHOUT_IT} Run the command again when the hub answers, or name a checkpoint: "
        f"{source.model}@/path/to/file.",
    )
