"""Export a text encoder once, from a folder or the model hub, so that it runs without torch."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from search.encoders.export_process import ExportFailed, install_model, run_exporter
from search.encoders.hub import HubFile, OnDownload, cached_snapshot, check_reachable, is_offline, remove_download
from search.encoders.hub_download import download, list_repository
from search.encoders.sentence import (
    SentenceManifest,
    encoder_folder,
    prepared_text_encoders,
    read_sentence_manifest,
)
from search.encoders.text_models import MODULES_FILE, TextModelSource, local_model_files, parse_text_spec
from search.errors import ModelUnavailable

EXPORT_SECONDS = 3600
WITHOUT_IT = "Until then, texts are found as the text encoder of the index reads them."
_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors|pytorch_model(-\d+-of-\d+)?\.bin")
_OTHER_FILES = {".json", ".txt", ".model"}
_OTHER_FORMATS = {"onnx", "openvino", "coreml", ".git"}  # folders of a repository with the same model once more
_CARD = "README.md"  # has the licence and the languages


def find_prepared_text(models: Path, spec: str, *, thoroughly: bool = False) -> SentenceManifest | None:
    """Return the manifest of the exported text encoder that a specification names, None when it is not exported yet.

    With `thoroughly`, an export whose files have changed counts as none. Raises WrongUse when the specification names
    no model.
    """
    source = parse_text_spec(spec)
    weights = local_model_files(source)
    for folder, manifest in prepared_text_encoders(models):
        if manifest.spec == source.spec and (source.folder is None or manifest.weights_from == weights):
            if thoroughly:
                try:
                    read_sentence_manifest(folder, thoroughly=True)
                except ModelUnavailable:
                    continue
            return manifest
    return None


def prepare_sentence_encoder(
    models: Path, spec: str, *, threads: int = 0, on_download: OnDownload | None = None
) -> SentenceManifest:
    """Export the text encoder that a specification names unless that is done; return its manifest.

    Files of the model hub are taken from the hub's cache on this machine, else downloaded, with a report of the
    progress to `on_download`; they are removed once the model is exported. Exports in a child process, so that torch's
    memory is freed. Raises ModelUnavailable, within seconds when the hub does not answer, and when the export disagrees
    with the original; WrongUse when the specification names no model; DataFolderError when the folder of models cannot
    be written or is too full.
    """
    source = parse_text_spec(spec)
    found = find_prepared_text(models, spec, thoroughly=True)
    if found is not None:
        return found
    folder, is_downloaded = source.folder, False
    if folder is None:
        folder = cached_snapshot(source.repository, MODULES_FILE)
        if folder is None or not is_complete(folder):
            _check_hub(source)
            files = model_files(source, list_repository(models, source.repository, on_download=on_download))
            cache = download(models, source.spec, files, on_download=on_download)
            folder, is_downloaded = cached_snapshot(source.repository, MODULES_FILE, cache=cache), True
    assert folder is not None

    def make(made: Path) -> Path:
        try:
            run_exporter(
                "search.encoders.sentence_export",
                source.spec,
                str(folder),
                str(made),
                str(threads),
                what=source.spec,
                seconds=EXPORT_SECONDS,
            )
        except ExportFailed as error:
            raise ModelUnavailable(
                f"The text encoder {source.spec} cannot be prepared: {error.message}", hint=WITHOUT_IT
            ) from error
        return encoder_folder(models, read_sentence_manifest(made).name)

    manifest = read_sentence_manifest(install_model(models, make))
    if is_downloaded:
        remove_download(models)
    return manifest


def model_files(source: TextModelSource, names: Sequence[str]) -> list[HubFile]:
    """Return the files of a repository that sentence-transformers needs: of weights in several formats, safetensors.

    Raises ModelUnavailable for a repository that is not a sentence-transformers model.

    >>> source = parse_text_spec("org/model")
    >>> names = ["modules.json", "model.safetensors", "pytorch_model.bin", "onnx/model.onnx", "tokenizer.json"]
    >>> [one.names[0] for one in model_files(source, names)]
    ['model.safetensors', 'modules.json', 'tokenizer.json']
    """
    if MODULES_FILE not in names:
        raise ModelUnavailable(
            f"{source.repository} is not a sentence-transformers model: it has no {MODULES_FILE}.",
            hint="`memetica models` lists text encoders to choose from.",
        )
    paths = [PurePosixPath(name) for name in names if PurePosixPath(name).parts[0] not in _OTHER_FORMATS]
    with_safetensors = {
        path.parent for path in paths if path.suffix == ".safetensors" and _WEIGHTS.fullmatch(path.name)
    }
    found = []
    for path in sorted(paths):
        is_weights = _WEIGHTS.fullmatch(path.name) is not None
        if is_weights and path.suffix == ".bin" and path.parent in with_safetensors:
            continue
        if is_weights or path.suffix in _OTHER_FILES or str(path) == _CARD:
            found.append(HubFile(source.repository, (str(path),)))
    return found


def is_complete(folder: Path) -> bool:
    """Return whether a folder has every module that its modules.json lists, and weights for one at least."""
    try:
        modules = json.loads((folder / MODULES_FILE).read_text("utf-8"))
        paths = [folder / str(module["path"]) for module in modules]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    weights = any(_WEIGHTS.fullmatch(file.name) for path in paths if path.is_dir() for file in path.iterdir())
    needed = [
        path for module, path in zip(modules, paths, strict=True) if not str(module["type"]).endswith("Normalize")
    ]
    return weights and all(path.is_dir() for path in needed)


def _check_hub(source: TextModelSource) -> None:
    """Raise ModelUnavailable when the model would have to come from a hub that must not be asked or is away."""
    missing = f"The text encoder {source.spec} is not on this machine, and"
    if is_offline():
        raise ModelUnavailable(
            f"{missing} HF_HUB_OFFLINE keeps Memetica from asking the model hub.",
            hint="Unset HF_HUB_OFFLINE and run the command again, or name a folder with the model.",
        )
    try:
        check_reachable()
    except ModelUnavailable as error:
        raise ModelUnavailable(
            f"{missing} {error.message[0].lower()}{error.message[1:]}",
            hint=f"{error.hint} A folder with the model may be named instead.",
        ) from error
