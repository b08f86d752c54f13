"""What was learnt, kept in a file of the data folder: a cache, which can be deleted and learnt again."""

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
from search.categories.model import Kinship, Linear, Mix, Model
from search.images.fingerprints import LOOK, PDQ

FORMAT = f"categories-2 {LOOK} {PDQ}"  # changes with whatever makes weights that were learnt before wrong
MODEL_FILE = "categories.npz"


def marks_of(pairs: Iterable[tuple[str, str]]) -> NDArray[np.uint64]:
    """Return a number for each content hash and its category, sorted: which examples there were."""
    marks = [hashlib.blake2b(f"{content} {category}".encode(), digest_size=8).digest() for content, category in pairs]
    return np.sort(np.frombuffer(b"".join(marks), np.uint64))


def write_model(models: Path, model: Model, *, encoder: str, marks: NDArray[np.uint64]) -> None:
    """Keep a model in a folder, whole or not at all; raise DataFolderError when it cannot be written."""
    said = {
        "format": FORMAT,
        "encoder": encoder,
        "categories": model.categories,
        "mixes": {kinship.value: asdict(mix) for kinship, mix in model.mixes.items()},
        "least": {kinship.value: least for kinship, least in model.least.items()},
        "precision": model.precision,
    }
    with atomic_file(models / MODEL_FILE) as out:
        np.savez(
            out,
            said=np.frombuffer(json.dumps(said, ensure_ascii=False).encode(), np.uint8),
            sizes=model.sizes,
            words=model.words.weights,
            words_bias=model.words.bias,
            everything=model.everything.weights,
            everything_bias=model.everything.bias,
            axes=np.empty((0, 0), np.float32) if model.everything.axes is None else model.everything.axes,
            marks=marks,
        )


def read_model(models: Path, *, encoder: str) -> tuple[Model, NDArray[np.uint64]] | None:
    """Return the model that is kept and the marks of its examples; None where there is none that can be used."""
    try:
        with np.load(models / MODEL_FILE, allow_pickle=False) as kept:
            said = json.loads(kept["said"].tobytes())
            if (said["format"], said["encoder"]) != (FORMAT, encoder):
                return None
            model = Model(
                tuple(said["categories"]),
                kept["sizes"],
                Linear(kept["words"], kept["words_bias"]),
                Linear(kept["everything"], kept["everything_bias"], kept["axes"] if kept["axes"].size else None),
                {Kinship(name): Mix(**mix) for name, mix in said["mixes"].items()},
                {Kinship(name): least for name, least in said["least"].items()},
                said["precision"],
            )
            return model, kept["marks"]
    except (OSError, ValueError, KeyError, BadZipFile, EOFError):
        return None  # missing, of another version or damaged: it is learnt again
