"""Models made ready once, for a runtime without torch: where their weights are here, or can be had from the hub."""

from __future__ import annotations

import os
from pathlib import Path

from search.encoders.clip import ClipManifest, model_folder, prepared_models, read_manifest
from search.encoders.clip_models import ModelSource, local_weights, parse_model_spec
from search.encoders.export_process import ExportFailed, exported, run_exporter
from search.errors import ModelUnavailable, WrongUse

HUB_SECONDS = 4.0  # that the hub has to answer in
EXPORT_SECONDS = 3600  # gigabytes may have to come first
LOST = "Words do not find pictures without it; search by words, meaning and look works all the same."
WEIGHTS_MISSING = 3  # the exporter's exit status when weights cannot be loaded


def find_prepared(models: Path, spec: str) -> ClipManifest | None:
    """Return the manifest of what a setting's value names, None while it has to be made ready; raise WrongUse."""
    source = parse_model_spec(spec)
    weights = local_weights(source)
    for _, manifest in prepared_models(models):
        if manifest.spec == source.spec and (not source.is_local or manifest.weights_from == weights):
            return manifest
    return None


def prepare_clip(models: Path, spec: str, *, threads: int = 0) -> ClipManifest:
    """Make ready what a setting's value names, unless it is; return its manifest.

    In a process of its own, so that torch's memory is gone afterwards. Raises ModelUnavailable within seconds when the
    weights are not here and the hub cannot be reached, WrongUse when nothing is named, DataFolderError when the folder
    of models cannot be written.
    """
    source = parse_model_spec(spec)
    found = find_prepared(models, spec)
    if found is not None:
        return found
    offline = source.is_local or not hub_answers()
    if offline and not source.is_local and not any(hub_cache().glob("models--*")):
        raise _out_of_reach(source)

    def make(made: Path) -> Path:
        _export(source, made, threads=threads, offline=offline)
        return model_folder(models, read_manifest(made).name)

    return read_manifest(exported(models, make))


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


def _export(source: ModelSource, folder: Path, *, threads: int, offline: bool) -> None:
    given = (source.spec, str(folder), str(threads))
    try:
        run_exporter("search.encoders.clip_export", *given, what=source.spec, seconds=EXPORT_SECONDS, offline=offline)
    except ExportFailed as error:
        if error.status == WrongUse.exit_code:
            raise WrongUse(error.said) from error
        if error.status == WEIGHTS_MISSING and offline and not source.is_local:
            raise _out_of_reach(source) from error
        raise ModelUnavailable(f"The image encoder {source.spec} cannot be had: {error.said}", hint=LOST) from error


def _out_of_reach(source: ModelSource) -> ModelUnavailable:
    return ModelUnavailable(
        f"The weights of {source.spec} are not on this machine, and the model hub {hub_address()} does not answer.",
        hint=f"{LOST} Run the command again when the hub answers, or name a checkpoint: {source.model}@/path/to/file.",
    )
