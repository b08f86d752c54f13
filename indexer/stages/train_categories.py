"""Trains the category model: `python -m indexer.stages.train_categories DATA LIBRARY` does so in its own process.

A whole learning takes seconds at a thousand memes and a minute at tens of thousands, and more memory than a server
should keep; so it happens apart. What comes in from then on is learnt in place, in well under a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.work.child_process import OnStart, child_main, run_child
from search.atomic_write import write_atomically
from search.catalogue import Catalogue, FingerprintRecord, open_catalogue
from search.categories.features import Known, Traits, library_traits, some_traits, traits_of_picture
from search.categories.model import PARENT, Model
from search.categories.persistence import marks_of, read_model, write_model
from search.categories.suggester import Suggester
from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.errors import DataFolderError, ModelUnavailable
from search.images.fingerprints import LOOK, PDQ
from search.settings import Settings, load_settings
from search.workspace import Workspace

HEALTH_FILE = "health.json"
DRIFT = 0.1  # share of the examples that may have come or gone before all is learnt anew


def learn(workspace: Workspace, *, encoder: TextEncoder) -> Model:
    """Learn the library's categories, keep the model and what looks wrong beside it, and return the model.

    Raises DataFolderError when they cannot be written.
    """
    # These bring libraries that nothing else needs and that are slow to import.
    from search.categories.audit import findings
    from search.categories.splits import groups_of
    from search.categories.training import fit

    workspace.catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    with workspace.catalogue.snapshot():
        known = library_traits(workspace.catalogue, encoder=encoder.name)
        memes = {meme.id: meme for meme in workspace.catalogue.memes.many(known.ids.tolist())}
        alike = [
            pair.key for pair in workspace.catalogue.pairs.all() if pair.tier is not None and pair.tier.is_duplicate
        ]
    duplicates, variants = groups_of(known, alike)
    model, held = fit(
        known,
        names=names_of(known.categories, encoder=encoder),
        duplicates=duplicates,
        variants=variants,
        precision=workspace.settings.suggest_precision,
    )
    found = findings(known, held, memes, groups=duplicates)
    said = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "memes": len(known),
        "categories": len(held.categories),
        "findings": [asdict(one) for one in found],
    }
    models = workspace.models
    write_model(models, model, encoder=encoder.name, marks=marks_of(zip(known.contents, known.categories, strict=True)))
    try:
        write_atomically(models / HEALTH_FILE, json.dumps(said, ensure_ascii=False).encode())
    except OSError as error:
        raise DataFolderError(
            f"The folder of models {models} cannot be written: {error.strerror or error}.", hint="Make room."
        ) from error
    return model


def learn_apart(settings: Settings, *, on_start: OnStart = lambda child: None) -> None:
    """Do what `learn` does in a process of its own, whose memory is gone afterwards; raise ModelUnavailable.

    `begun` gets the process, so that it can be ended. It ends with this one, however that ends.
    """
    given = json.dumps({"text_encoder": settings.text_encoder, "suggest_precision": settings.suggest_precision})
    reason = run_child(
        "indexer.stages.train_categories", str(settings.data), str(settings.library), given, on_start=on_start
    )
    if reason is not None:
        raise ModelUnavailable(
            f"The categories cannot be learnt: {reason}", hint="`memetica health --again` says more."
        )


def open_suggester(
    workspace: Workspace, *, encoder: TextEncoder, learn_all: Callable[[], object] | None = None
) -> Suggester:
    """Return a suggester that knows the library as it is now, learning what has to be learnt.

    All is learnt anew where nothing was or much has changed since, by `learn_all` or else here. Raises ModelUnavailable
    or DataFolderError.
    """
    workspace.catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    models = workspace.models
    with workspace.catalogue.snapshot():
        known = library_traits(workspace.catalogue, encoder=encoder.name)
    marks = marks_of(zip(known.contents, known.categories, strict=True))
    kept = read_model(models, encoder=encoder.name)
    if kept is None or _drifted(kept[1], marks):
        if learn_all is None:
            learn(workspace, encoder=encoder)
        else:
            learn_all()
        kept = read_model(models, encoder=encoder.name)
        if kept is None:
            raise ModelUnavailable("What was learnt of the categories cannot be read.", hint="Delete it and try again.")
    model, learnt = kept
    return Suggester(model if np.array_equal(learnt, marks) else _again(model, known, encoder=encoder), known)


def brought_up_to_date(
    suggester: Suggester, catalogue: Catalogue, ids: Sequence[int], *, encoder: TextEncoder
) -> Suggester:
    """Return a suggester that has learnt some memes as they are now, and forgotten those that are gone."""
    changed = some_traits(catalogue, ids, encoder=encoder.name)
    staying = np.flatnonzero(~np.isin(suggester.known.ids, np.array(list(ids), np.int64)))
    known = suggester.known.of(staying).joined(changed)
    return Suggester(_again(suggester.model, known, encoder=encoder), known)


def traits_of_upload(fingerprints: Sequence[FingerprintRecord], text: str, *, encoder: TextEncoder) -> Traits:
    """Return the traits of a picture that is not in the library: its fingerprints, and the text read in it."""
    own = sorted(fingerprints, key=lambda one: one.frame)
    return traits_of_picture(
        encoder.encode([text]) if text.strip() else None,
        [one.bits for one in own if one.algorithm == LOOK],
        [one.bits for one in own if one.algorithm == PDQ],
        dimensions=encoder.dimensions,
    )


def names_of(categories: Sequence[str], *, encoder: TextEncoder) -> dict[str, NDArray[np.float32]]:
    """Return the embedding of each category's name ([d])."""
    every = sorted(set(categories))
    return dict(zip(every, encoder.encode([one.replace(PARENT, ", ") for one in every]), strict=True))


def read_health(settings: Settings) -> dict[str, Any] | None:
    """Return what was found when the categories were last learnt, as JSON has it; None before that."""
    try:
        found = json.loads((settings.data / "models" / HEALTH_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _again(model: Model, known: Known, *, encoder: TextEncoder) -> Model:
    from search.categories.training import fit_again

    return fit_again(model, known, names=names_of(known.categories, encoder=encoder))


def _drifted(learnt: NDArray[np.uint64], now: NDArray[np.uint64]) -> bool:
    return len(np.setxor1d(learnt, now)) > DRIFT * max(len(learnt), 20)


def _main(data: str, library: str, given: str) -> None:
    settings = load_settings({"data": Path(data), "library": Path(library), **json.loads(given)}, environ={})
    with open_catalogue(settings, create=False) as catalogue:
        learn(Workspace(settings, catalogue), encoder=load_text_encoder(settings))


if __name__ == "__main__":
    child_main(_main)
