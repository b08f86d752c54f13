"""Export a CLIP model once, from local weights or the model hub, so that it runs without torch."""

from __future__ import annotations

import json
from pathlib import Path

from search.encoders.clip import ClipManifest, model_folder, prepared_models, read_manifest
from search.encoders.clip_models import ModelSource, local_weights, parse_model_spec
from search.encoders.export_process import ExportFailed, install_model, run_exporter
from search.encoders.hub import HubFile, OnDownload, are_cached, check_reachable, hub_cache, is_offline, remove_download
from search.encoders.hub_download import download
from search.errors import ModelUnavailable, WrongUse

LIST_SECONDS = 300  # of a process that imports torch
EXPORT_SECONDS = 3600
WITHOUT_IT = "Without it, words do not find pictures; search by words, meaning and look still works."


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


def prepare_clip(models: Path, spec: str, *, threads: int = 0, on_download: OnDownload | None = None) -> ClipManifest:
    """Export the model that a specification names unless that is done; return its manifest.

    Weights of the model hub are taken from the hub's cache on this machine, else downloaded, with a report of the
    progress to `on_download`; they are removed once the model is exported. Exports in a child process, so that torch's
    memory is freed. Raises ModelUnavailable, within seconds when the weights are not on this machine and the hub does
    not answer; WrongUse when the specification names no model; DataFolderError when the folder of models cannot be
    written or is too full.
    """
    source = parse_model_spec(spec)
    found = find_prepared(models, spec)
    if found is not None:
        return found
    cache, offline = None, True
    if not source.is_local:
        if not any(hub_cache().glob("models--*")):  # then the hub must answer: find out before torch is imported
            _check_hub(source)
        files = _files_of(source)
        if files is None:
            offline = False  # open_clip downloads from elsewhere
        elif are_cached(files):
            cache = hub_cache()
        else:
            _check_hub(source)
            cache = download(models, source.spec, files, on_download=on_download)

    def make(made: Path) -> Path:
        _export(source, made, threads=threads, offline=offline, cache=cache)
        return model_folder(models, read_manifest(made).name)

    manifest = read_manifest(install_model(models, make))
    if cache is not None and cache != hub_cache():
        remove_download(models)
    return manifest


def _files_of(source: ModelSource) -> list[HubFile] | None:
    """Return the files that a model needs of the hub; None when its weights are elsewhere."""
    try:
        written = run_exporter("search.encoders.clip_files", source.spec, what=source.spec, seconds=LIST_SECONDS)
    except ExportFailed as error:
        raise _failed(source, error) from error
    listed = json.loads(written.strip().splitlines()[-1])
    if listed is None:
        return None
    return [HubFile(one["repository"], tuple(one["names"]), one["required"]) for one in listed]


def _export(source: ModelSource, folder: Path, *, threads: int, offline: bool, cache: Path | None) -> None:
    arguments = (source.spec, str(folder), str(threads))
    try:
        run_exporter(
            "search.encoders.clip_export",
            *arguments,
            what=source.spec,
            seconds=EXPORT_SECONDS,
            offline=offline,
            hub_cache=cache,
        )
    except ExportFailed as error:
        raise _failed(source, error) from error


def _failed(source: ModelSource, error: ExportFailed) -> WrongUse | ModelUnavailable:
    if error.status == WrongUse.exit_code:
        return WrongUse(error.message)
    return ModelUnavailable(f"The image encoder {source.spec} cannot be prepared: {error.message}", hint=WITHOUT_IT)


def _check_hub(source: ModelSource) -> None:
    """Raise ModelUnavailable when the weights would have to come from a hub that must not be asked or is away."""
    missing = f"The weights of {source.spec} are not on this machine, and"
    checkpoint = f"or name a checkpoint: {source.model}@/path/to/file."
    if is_offline():
        raise ModelUnavailable(
            f"{missing} HF_HUB_OFFLINE keeps Memetica from asking the model hub.",
            hint=f"{WITHOUT_IT} Unset HF_HUB_OFFLINE and run the command again, {checkpoint}",
        )
    try:
        check_reachable()
    except ModelUnavailable as error:
        raise ModelUnavailable(
            f"{missing} {error.message[0].lower()}{error.message[1:]}", hint=f"{WITHOUT_IT} {error.hint} {checkpoint}"
        ) from error
