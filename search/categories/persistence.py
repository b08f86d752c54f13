"""Store the category model in the data folder: a cache that can be deleted, then the model is trained again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from search.categories.characters import CharacterModel
from search.categories.linear import LinearModel
from search.categories.model import CategoryModel, MixWeights, Models, Template
from search.images.fingerprints import LOOK, PDQ
from search.system.atomic_write import atomic_file

FORMAT = f"categories-6 {LOOK} {PDQ}"  # change it whenever stored weights become invalid
MODEL_FILE = "categories.npz"


def example_hashes(pairs: Iterable[tuple[str, str]]) -> NDArray[np.uint64]:
    """Return a hash of each pair of content hash and category, sorted ([n] uint64); they identify the set of examples.

    >>> example_hashes([("a" * 64, "Cats")]).shape
    (1,)
    """
    hashes = [hashlib.blake2b(f"{content} {category}".encode(), digest_size=8).digest() for content, category in pairs]
    return np.sort(np.frombuffer(b"".join(hashes), np.uint64))


@dataclass(frozen=True)
class Encoders:
    """The names of the encoders whose embeddings a model was trained on; `image` is empty without one."""

    text: str
    image: str = ""


def write_model(models: Path, model: CategoryModel, *, encoders: Encoders, hashes: NDArray[np.uint64]) -> None:
    """Write a model to a folder atomically; raise DataFolderError when it cannot be written."""
    own = model.models
    header = {
        "format": FORMAT,
        "encoders": asdict(encoders),
        "categories": model.categories,
        "mix_weights": {template.value: asdict(weights) for template, weights in model.mix_weights.items()},
        "thresholds": {template.value: threshold for template, threshold in model.thresholds.items()},
        "precision": model.precision,
        "vocabulary": own.characters.vocabulary,
    }
    with atomic_file(models / MODEL_FILE) as out:
        np.savez(
            out,
            header=np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8),
            sizes=model.sizes,
            words=own.words.weights,
            words_bias=own.words.bias,
            all_features=own.all_features.weights,
            all_features_bias=own.all_features.bias,
            axes=np.empty((0, 0), np.float32) if own.all_features.axes is None else own.all_features.axes,
            characters=own.characters.weights,
            characters_bias=own.characters.bias,
            characters_idf=own.characters.idf,
            pictures=own.pictures.weights,
            pictures_bias=own.pictures.bias,
            parents=own.parents.weights,
            parents_bias=own.parents.bias,
            named=own.named.weights,
            named_bias=own.named.bias,
            hashes=hashes,
        )


def stored_encoders(models: Path) -> Encoders | None:
    """Return the encoders that the stored model was trained with; None without a usable model."""
    try:
        with np.load(models / MODEL_FILE, allow_pickle=False) as stored:
            return Encoders(**json.loads(stored["header"].tobytes())["encoders"])
    except (OSError, ValueError, KeyError, TypeError, BadZipFile, EOFError):
        return None


def read_model(models: Path, *, encoders: Encoders) -> tuple[CategoryModel, NDArray[np.uint64]] | None:
    """Return the stored model and the hashes of its examples; None without a usable model."""
    try:
        with np.load(models / MODEL_FILE, allow_pickle=False) as stored:
            header = json.loads(stored["header"].tobytes())
            if (header["format"], header["encoders"]) != (FORMAT, asdict(encoders)):
                return None
            axes = stored["axes"] if stored["axes"].size else None
            parts = Models(
                words=LinearModel(stored["words"], stored["words_bias"]),
                all_features=LinearModel(stored["all_features"], stored["all_features_bias"], axes),
                characters=CharacterModel(
                    tuple(header["vocabulary"]),
                    stored["characters_idf"],
                    stored["characters"],
                    stored["characters_bias"],
                ),
                pictures=LinearModel(stored["pictures"], stored["pictures_bias"]),
                parents=LinearModel(stored["parents"], stored["parents_bias"]),
                named=LinearModel(stored["named"], stored["named_bias"]),
            )
            model = CategoryModel(
                tuple(header["categories"]),
                stored["sizes"],
                parts,
                {Template(name): MixWeights(**weights) for name, weights in header["mix_weights"].items()},
                {Template(name): threshold for name, threshold in header["thresholds"].items()},
                header["precision"],
            )
            return model, stored["hashes"]
    except (OSError, ValueError, KeyError, TypeError, BadZipFile, EOFError):
        return None  # missing, of another version or damaged: train again
