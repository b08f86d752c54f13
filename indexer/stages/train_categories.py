"""Train the category model, in this process or by `python -m indexer.stages.train_categories DATA LIBRARY OPTIONS`.

Training takes seconds at a thousand memes and a minute at tens of thousands, and more memory than a server should keep;
so it runs in a child process. New memes are added to the model in well under a second, without a new training.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.work.child_process import OnStart, child_main, run_child
from search import categories  # loads scikit-learn, which is slow to import, when a function is called
from search.catalogue import Catalogue, FingerprintRecord, open_catalogue
from search.categories.features import Examples, Features, examples_of, library_examples, picture_features
from search.categories.model import CategoryModel
from search.categories.persistence import Encoders, example_hashes, read_model, write_model
from search.categories.splits import split_groups
from search.categories.suggester import Suggester
from search.encoders.base import TextEncoder
from search.encoders.coverage import readable_part, readable_rows
from search.encoders.registry import load_image_encoder
from search.encoders.zero_shot import embed_labels
from search.errors import ModelUnavailable
from search.images.fingerprints import LOOK, PDQ
from search.index.generations import live_image_encoder
from search.index.text_encoder import load_text_encoder_in_use
from search.meme import CATEGORY_SEPARATOR
from search.settings import Settings, load_settings
from search.system.atomic_write import write_atomically
from search.workspace import Workspace

ISSUES_FILE = "category-issues.json"
DRIFT = 0.1  # share of the examples that may have changed before the model is trained from scratch


def train_categories(workspace: Workspace, *, encoder: TextEncoder) -> CategoryModel:
    """Train the category model, audit the categories, store both, and return the model.

    Raises DataFolderError when they cannot be written.
    """
    workspace.catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    encoders = encoders_of(workspace, encoder=encoder)
    with workspace.catalogue.snapshot():
        examples = library_examples(workspace.catalogue, encoder=encoders.text, image_encoder=encoders.image)
        memes = {meme.id: meme for meme in workspace.catalogue.memes.many(examples.ids.tolist())}
        pairs = [
            pair.key for pair in workspace.catalogue.pairs.all() if pair.tier is not None and pair.tier.is_duplicate
        ]
    duplicates, variants = split_groups(examples, pairs)
    model, held_out = categories.fit(
        examples,
        names=embed_names(examples.categories, encoder=encoder),
        picture_names=embed_picture_names(examples.categories, workspace.settings, image_encoder=encoders.image),
        duplicates=duplicates,
        variants=variants,
        precision=workspace.settings.suggest_precision,
    )
    issues = categories.audit(examples, held_out, memes, duplicates=duplicates)
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "memes": len(examples),
        "categories": len(held_out.categories),
        "issues": [asdict(issue) for issue in issues],
    }
    write_model(workspace.models, model, encoders=encoders, hashes=_hashes_of(examples))
    write_atomically(workspace.models / ISSUES_FILE, json.dumps(report, ensure_ascii=False).encode())
    return model


def train_in_child_process(settings: Settings, *, on_start: OnStart = lambda child: None) -> None:
    """Run `train_categories` in a child process, which frees its memory afterwards; raise ModelUnavailable.

    `on_start` is called with the process, so that the caller can end it. The child ends when this process ends.
    """
    options = json.dumps({"text_encoder": settings.text_encoder, "suggest_precision": settings.suggest_precision})
    reason = run_child(
        "indexer.stages.train_categories", str(settings.data), str(settings.library), options, on_start=on_start
    )
    if reason is not None:
        raise ModelUnavailable(
            f"The category model cannot be trained: {reason}", hint="`memetica categories train` shows the whole error."
        )


def open_suggester(
    workspace: Workspace, *, encoder: TextEncoder, train: Callable[[], object] | None = None
) -> Suggester:
    """Return a suggester over the current library, after training the model if needed.

    The model is trained from scratch if there is none or if more than a share of DRIFT of the examples has changed, by
    `train` or in this process; otherwise it is refitted. Raises ModelUnavailable or DataFolderError.

    >>> suggester = open_suggester(workspace, encoder=encoder)
    >>> len(suggester.examples) > 0
    True
    """
    workspace.catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    encoders = encoders_of(workspace, encoder=encoder)
    with workspace.catalogue.snapshot():
        examples = library_examples(workspace.catalogue, encoder=encoders.text, image_encoder=encoders.image)
    hashes = _hashes_of(examples)
    stored = read_model(workspace.models, encoders=encoders)
    if stored is None or _has_drifted(stored[1], hashes):
        if train is None:
            train_categories(workspace, encoder=encoder)
        else:
            train()
        stored = read_model(workspace.models, encoders=encoders)
        if stored is None:
            raise ModelUnavailable(
                "The trained category model cannot be read.", hint=f"Delete {workspace.models} and try again."
            )
    model, trained = stored
    fitted = model if np.array_equal(trained, hashes) else _refit(model, examples, encoder=encoder)
    return Suggester(fitted, examples, image_encoder=encoders.image)


def update_suggester(
    suggester: Suggester, catalogue: Catalogue, ids: Sequence[int], *, encoder: TextEncoder
) -> Suggester:
    """Return a suggester refitted to the current state of these memes; vanished ones are removed."""
    changed = examples_of(catalogue, ids, encoder=encoder.name, image_encoder=suggester.image_encoder)
    unchanged = np.flatnonzero(~np.isin(suggester.examples.ids, np.array(list(ids), np.int64)))
    examples = suggester.examples.of(unchanged).joined(changed)
    refitted = _refit(suggester.model, examples, encoder=encoder)
    return Suggester(refitted, examples, image_encoder=suggester.image_encoder)


def encoders_of(workspace: Workspace, *, encoder: TextEncoder) -> Encoders:
    """Return the encoders to learn from: a text encoder, and the image encoder that made the index, if any."""
    return Encoders(encoder.name, live_image_encoder(workspace.index))


def upload_features(
    fingerprints: Sequence[FingerprintRecord],
    findings: Mapping[str, Any],
    *,
    encoder: TextEncoder,
    image_encoder: str,
) -> Features:
    """Return the features of a picture outside the library, from its fingerprints and the findings of `inspect_file`.

    The picture's embedding counts if it was made by `image_encoder`, the one of the library's pictures.
    """
    text = str(findings.get("text", ""))
    by_frame = sorted(fingerprints, key=lambda one: one.frame)
    rows = readable_rows(encoder, [text] if text.strip() else [])[1]
    return picture_features(
        rows if len(rows) else None,
        [one.bits for one in by_frame if one.algorithm == LOOK],
        [one.bits for one in by_frame if one.algorithm == PDQ],
        dimensions=encoder.dimensions,
        text=text,
        frames=embedding_in(findings, image_encoder=image_encoder),
    )


def embedding_row(image_encoder: str, rows: NDArray[np.float32]) -> dict[str, str]:
    """Return the mean of a picture's rows ([frames, p]) and their encoder's name as JSON, to be stored as a finding."""
    return {"encoder": image_encoder, "row": b64encode(rows.mean(axis=0).astype("<f2").tobytes()).decode()}


def embedding_in(findings: Mapping[str, Any], *, image_encoder: str) -> NDArray[np.float32] | None:
    """Return the row ([1, p]) in a picture's findings; None if there is none by this encoder.

    >>> findings = {"embedding": embedding_row("colours", np.array([[0.5, 0.25]]))}
    >>> embedding_in(findings, image_encoder="colours").tolist(), embedding_in(findings, image_encoder="other")
    ([[0.5, 0.25]], None)
    """
    found = findings.get("embedding")
    if not found or found["encoder"] != image_encoder:
        return None
    return np.frombuffer(b64decode(found["row"]), "<f2").astype(np.float32)[None]


def embed_names(categories: Sequence[str], *, encoder: TextEncoder) -> dict[str, NDArray[np.float32]]:
    """Return the embedding of each category's name ([d])."""
    names = sorted(set(categories))
    return dict(zip(names, encoder.encode([name.replace(CATEGORY_SEPARATOR, ", ") for name in names]), strict=True))


def embed_picture_names(
    categories: Sequence[str], settings: Settings, *, image_encoder: str
) -> dict[str, NDArray[np.float32]]:
    """Return the row ([p]) of each category's name by the image encoder of this name, where it can read the name.

    Empty without an image encoder, and where it is no longer there.
    """
    if not image_encoder:
        return {}
    try:
        encoder: Any = load_image_encoder(settings, image_encoder)
    except ModelUnavailable:
        return {}
    names = tuple(name for name in sorted(set(categories)) if readable_part(encoder, name) == name)
    return dict(zip(names, embed_labels(encoder, names), strict=True))


def read_issues(workspace: Workspace) -> dict[str, Any] | None:
    """Return the issues that the last training found, as JSON; None before the first training."""
    try:
        found = json.loads((workspace.models / ISSUES_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _hashes_of(examples: Examples) -> NDArray[np.uint64]:
    return example_hashes(zip(examples.contents, examples.categories, strict=True))


def _refit(model: CategoryModel, examples: Examples, *, encoder: TextEncoder) -> CategoryModel:
    return categories.refit(model, examples, names=embed_names(examples.categories, encoder=encoder))


def _has_drifted(trained: NDArray[np.uint64], now: NDArray[np.uint64]) -> bool:
    return len(np.setxor1d(trained, now)) > DRIFT * max(len(trained), 20)


def _main(data: str, library: str, options: str) -> None:
    settings = load_settings({"data": Path(data), "library": Path(library), **json.loads(options)}, environ={})
    with open_catalogue(settings, create=False) as catalogue:
        train_categories(Workspace(settings, catalogue), encoder=load_text_encoder_in_use(settings))


if __name__ == "__main__":
    child_main(_main)
