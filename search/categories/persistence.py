"""Store the category model in the data folder: a cache that can be deleted, then the model is trained again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from search.atomic_write import atomic_file
from search.categories.model import CategoryModel, LinearModel, MixWeights, Template
from search.images.fingerprints import LOOK, PDQ

FORMAT = f"categories-3 {LOOK} {PDQ}"  # change it whenever stored weights become invalid
MODEL_FILE = "categories.npz"


def example_hashes(pairs: Iterable[tuple[str, str]]) -> NDArray[np.uint64]:
    """Return a hash of each pair of content hash and category, sorted ([n] uint64); they identify the set of examples.

    >>> example_hashes([("a" * 64, "Cats")]).shape
    (1,)
    """
    hashes = [hashlib.blake2b(f"{content} {category}".encode(), digest_size=8).digest() for content, category in pairs]
    return np.sort(np.frombuffer(b"".join(hashes), np.uint64))


def write_model(models: Path, model: CategoryModel, *, encoder: str, hashes: NDArray[np.uint64]) -> None:
    """Write a model to a folder atomically; raise DataFolderError when it cannot be written."""
    header = {
        "format": FORMAT,
        "encoder": encoder,
        "categories": model.categories,
        "mix_weights": {template.value: asdict(weights) for template, weights in model.mix_weights.items()},
        "thresholds": {template.value: threshold for template, threshold in model.thresholds.items()},
        "precision": model.precision,
    }
    with atomic_file(models / MODEL_FILE) as out:
        np.savez(
            out,
            header=np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8),
            sizes=model.sizes,
            words=model.words.weights,
            words_bias=model.words.bias,
            all_features=model.all_features.weights,
            all_features_bias=model.all_features.bias,
            axes=np.empty((0, 0), np.float32) if model.all_features.axes is None else model.all_features.axes,
            hashes=hashes,
        )


def stored_encoder(models: Path) -> str | None:
    """Return the name of the text encoder that the stored model was trained with; None without a usable model."""
    try:
        with np.load(models / MODEL_FILE, allow_pickle=False) as stored:
            return str(json.loads(stored["header"].tobytes())["encoder"])
    except (OSError, ValueError, KeyError, BadZipFile, EOFError):
        return None


def read_model(models: Path, *, encoder: str) -> tuple[CategoryModel, NDArray[np.uint64]] | None:
    """Return the stored model and the hashes of its examples; None without a usable model."""
    try:
        with np.load(models / MODEL_FILE, allow_pickle=False) as stored:
            header = json.loads(stored["header"].tobytes())
            if (header["format"], header["encoder"]) != (FORMAT, encoder):
                return None
            model = CategoryModel(
                tuple(header["categories"]),
                stored["sizes"],
                LinearModel(stored["words"], stored["words_bias"]),
                LinearModel(
                    stored["all_features"], stored["all_features_bias"], stored["axes"] if stored["axes"].size else None
                ),
                {Template(name): MixWeights(**weights) for name, weights in header["mix_weights"].items()},
                {Template(name): threshold for name, threshold in header["thresholds"].items()},
                header["precision"],
            )
            return model, stored["hashes"]
    except (OSError, ValueError, KeyError, BadZipFile, EOFError):
        return None  # missing, of another version or damaged: train again
