"""The small CLIP: recall of scenes by caption, accuracy of attributes, recall of the demo's memes by description.

    python -m benchmarks.small_clip
    python -m benchmarks.small_clip path/to/model

Scenes combine subjects, actions and colours that were held out from training, and no picture was in training. The model
is prepared and run like any image encoder. Only pictures are searched, no text.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.data import Library, drawn_library
from benchmarks.harness import Benchmark, Report, Table
from demo.scenes import Scene, draw_scene
from demo.small_clip.phrases import ATTRIBUTES, UNSEEN, UNTRAINED_WORDS, codes, held_out_scene, training_scene
from demo.small_clip.pool import as_in_a_meme
from demo.vocabulary import Prop
from indexer.media.decode import decode
from search.encoders.clip import Clip, load_clip
from search.encoders.clip_models import SHIPPED
from search.encoders.clip_prepare import prepare_clip
from search.settings import Settings

SEED = 20_000_001  # not a seed of training
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="4 minutes; 2 with --small")
BENCHMARK.parser.add_argument("model", type=Path, nargs="?", default=SHIPPED, help="folder of a model (default: ours)")
BENCHMARK.option("--scenes", 500, small=30, help="scenes of each kind")
BENCHMARK.option("--memes", 260, small=40, help="memes of the drawn demo library")
# The query for each attribute; there is none for `Prop.NONE`.
ASKED = {
    "subject": "a {}",
    "color": "a {} character",
    "action": "somebody {}",
    "place": "somebody {}",
    "sky": "somebody {}",
    "expression": "a {} character",
    "prop": "somebody wearing {}",
}


def recall(similarities: NDArray[np.float32], k: int) -> float:
    """Return the share of texts whose own picture is among the k most similar; row i's own is column i."""
    own = np.diag(similarities)[:, None]
    return float(((similarities > own).sum(axis=1) < k).mean())


def add_recall(table: Table, label: str, model: Clip, pictures: list[Image.Image], scenes: list[Scene]) -> None:
    """Add the recall of captions among pictures."""
    texts = model.encode_text([scene.caption() for scene in scenes])
    similarities = texts @ model.encode_images(pictures).T
    table.row(label, len(scenes), recall(similarities, 1), recall(similarities, 5), 1 / len(scenes), 5 / len(scenes))


def accuracy(
    model: Clip,
    rows: NDArray[np.float32],
    truth: NDArray[np.int64],
    *,
    name: str,
    untrained: bool = False,
) -> tuple[float, int, int]:
    """Return the accuracy of an attribute, the number of its values, and the number of pictures.

    The query uses the words of the captions or, with `untrained`, words that are not in any training text.
    """
    values = [
        value for value in ATTRIBUTES[name] if value is not Prop.NONE and (not untrained or value in UNTRAINED_WORDS)
    ]
    asked = [UNTRAINED_WORDS[value] if untrained else str(value) for value in values]
    texts = model.encode_text([ASKED[name].format(word) for word in asked])
    places = np.array([list(ATTRIBUTES[name]).index(value) for value in values])
    own = truth[:, list(ATTRIBUTES).index(name)]
    known = np.isin(own, places) & (own != UNSEEN)
    told = places[(rows[known] @ texts.T).argmax(axis=1)]
    return float((told == own[known]).mean()), len(values), int(known.sum())


def measure(given: Namespace, report: Report) -> None:
    """Print recall of captions, accuracy by attribute, and recall of descriptions in the demo library."""
    with tempfile.TemporaryDirectory() as aside:
        models = Path(aside) / "models"
        model = load_clip(models, prepare_clip(models, str(given.model), threads=2).name, threads=2)
        columns = {
            "scenes": "",
            "of": "d",
            "recall@1": ".3f",
            "recall@5": ".3f",
            "chance @1": ".3f",
            "chance @5": ".3f",
        }
        table = report.table("captions find their scene", columns)
        random = Random(SEED)
        scenes = [held_out_scene(random) for _ in range(given.scenes)]
        bare = [draw_scene(scene, (400, 300)) for scene in scenes]
        words = Random(SEED)
        add_recall(table, "held-out combinations", model, bare, scenes)
        add_recall(
            table, "… captioned, cropped or under a bar", model, [as_in_a_meme(one, words) for one in scenes], scenes
        )
        random = Random(SEED)
        others = [training_scene(random) for _ in range(given.scenes)]
        add_recall(
            table, "combinations of training", model, [draw_scene(scene, (400, 300)) for scene in others], others
        )
        attributes(model, bare, scenes, report)
        descriptions(model, drawn_library("demo", memes=given.memes), report)


def attributes(model: Clip, bare: list[Image.Image], scenes: list[Scene], report: Report) -> None:
    """Add the accuracy of each attribute, in words of the captions and in words that are not in any training text."""
    rows, truth = model.encode_images(bare), np.array([codes(scene) for scene in scenes])
    columns = {"attribute": "", "accuracy": ".3f", "chance": ".3f", "of": "d"}
    table = report.table("attributes", {**columns, "words not in training": ".3f", "chance ": ".3f", "of ": "d"})
    for name in ATTRIBUTES:
        share, values, of = accuracy(model, rows, truth, name=name)
        untrained: tuple[float | None, float | None, int | None] = (None, None, None)
        if any(value in UNTRAINED_WORDS for value in ATTRIBUTES[name]):
            right, count, asked = accuracy(model, rows, truth, name=name, untrained=True)
            untrained = (right, 1 / count, asked)
        table.row(name, share, 1 / values, of, *untrained)


def descriptions(model: Clip, library: Library, report: Report) -> None:
    """Add how often a description finds its meme of the demo library by the picture alone."""
    settings = Settings()
    paths = list(library.originals)
    pictures = [
        decode(library.memes / path, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes).pictures[0]
        for path in paths
    ]
    queries = [judged for _, judged in library.judged() if judged.kind == "describes"]
    similarities = model.encode_text([one.query for one in queries]) @ model.encode_images(pictures).T
    order = np.argsort(-similarities, axis=1, kind="stable")
    ranks = [
        next(rank for rank, at in enumerate(row) if paths[at] in query.relevant)
        for row, query in zip(order, queries, strict=True)
    ]
    chance = np.mean([sum(path in query.relevant for path in paths) / len(paths) for query in queries])
    first, five, ten = (np.mean([rank < k for rank in ranks]) for k in (1, 5, 10))
    columns = {"descriptions": "d", "files": "d", "first": ".3f", "in five": ".3f", "in ten": ".3f", "chance": ".3f"}
    report.table("demo library", columns).row(len(queries), len(paths), first, five, ten, chance)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
