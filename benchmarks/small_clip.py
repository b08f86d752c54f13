"""How well the small CLIP finds scenes, tells what is in them, and finds the demo's memes, all by pictures alone.

python -m benchmarks.small_clip [MODEL]

Scenes' combinations are held out from training, and no picture was seen before. The model is made ready and run as any
image encoder is.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import machine
from demo.nouns import Prop
from demo.scenes import Scene, draw_scene
from demo.small_clip.phrases import ATTRIBUTES, UNHEARD, UNSEEN, codes, held_out_scene, training_scene
from demo.small_clip.pool import as_in_a_meme
from demo.truth import QueryKind
from demo.writing import draw_demo
from indexer.media.decode import decode
from search.encoders.clip import Clip, load_clip
from search.encoders.clip_models import SHIPPED
from search.encoders.clip_prepare import prepare_clip
from search.settings import Settings

SCENES = 500
SEED = 20_000_001  # no seed of training
# How each attribute is asked about; what is worn by none is asked about as nothing.
ASKED = {
    "subject": "a {}",
    "colour": "a {} character",
    "action": "somebody {}",
    "place": "somebody {}",
    "sky": "somebody {}",
    "expression": "a {} character",
    "prop": "somebody wearing {}",
}


def recall(similarities: NDArray[np.float32], k: int) -> float:
    """Return how often a text's own picture is among the k most similar; row i's own is column i."""
    own = np.diag(similarities)[:, None]
    return float(((similarities > own).sum(axis=1) < k).mean())


def found(model: Clip, pictures: list[Image.Image], scenes: list[Scene]) -> str:
    """Return recall of captions among so many pictures, in words."""
    texts = model.encode_text([scene.caption() for scene in scenes])
    similarities = texts @ model.encode_images(pictures).T
    return (
        f"recall@1 {recall(similarities, 1):.3f}, recall@5 {recall(similarities, 5):.3f} "
        f"(chance {1 / len(scenes):.3f}, {5 / len(scenes):.3f})"
    )


def accuracy(
    model: Clip,
    rows: NDArray[np.float32],
    truth: NDArray[np.int64],
    *,
    name: str,
    unheard: bool = False,
) -> tuple[float, int, int]:
    """Return the share of pictures whose value of an attribute is told right, among how many values, of how many.

    Words of the caption are asked with, or, `unheard`, words that no training has seen, where there are some.
    """
    values = [value for value in ATTRIBUTES[name] if value is not Prop.NONE and (not unheard or value in UNHEARD)]
    asked = [UNHEARD[value] if unheard else str(value) for value in values]
    texts = model.encode_text([ASKED[name].format(word) for word in asked])
    places = np.array([list(ATTRIBUTES[name]).index(value) for value in values])
    own = truth[:, list(ATTRIBUTES).index(name)]
    known = np.isin(own, places) & (own != UNSEEN)
    told = places[(rows[known] @ texts.T).argmax(axis=1)]
    return float((told == own[known]).mean()), len(values), int(known.sum())


def demo(model: Clip, folder: Path) -> str:
    """Return how often a description finds its meme of the demo library by the picture alone, in words."""
    truth = draw_demo(folder / "demo", memes=260)
    settings = Settings()
    paths = [meme.path for meme in truth.memes] + [one.path for one in truth.duplicates]
    pictures = [
        decode(folder / "demo" / path, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes).pictures[0]
        for path in paths
    ]
    queries = [query for query in truth.queries() if query.kind is QueryKind.DESCRIBES]
    similarities = model.encode_text([one.text for one in queries]) @ model.encode_images(pictures).T
    order = np.argsort(-similarities, axis=1, kind="stable")
    ranks = [
        next(rank for rank, at in enumerate(row) if paths[at] in query.relevant)
        for row, query in zip(order, queries, strict=True)
    ]
    shares = [sum(path in query.relevant for path in paths) / len(paths) for query in queries]
    first, five, ten = (np.mean([rank < k for rank in ranks]) for k in (1, 5, 10))
    return (
        f"{len(queries)} descriptions among {len(paths)} files: one that fits is first {first:.3f} "
        f"(chance {np.mean(shares):.3f}), among five {five:.3f}, among ten {ten:.3f}"
    )


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", default=SHIPPED)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as aside:
        models = Path(aside) / "models"
        model = load_clip(models, prepare_clip(models, str(given.model), threads=2).name, threads=2)
        for label, draw in (("combinations held out", held_out_scene), ("combinations seen", training_scene)):
            random = Random(SEED)
            scenes = [draw(random) for _ in range(SCENES)]
            bare = [draw_scene(scene, (400, 300)) for scene in scenes]
            print(f"{SCENES} new scenes, {label}: {found(model, bare, scenes)}")
            if draw is held_out_scene:
                words = Random(SEED)
                captioned = [as_in_a_meme(scene, words) for scene in scenes]
                print(f"  captioned, cropped or under a bar: {found(model, captioned, scenes)}")
                rows, truth = model.encode_images(bare), np.array([codes(scene) for scene in scenes])
                for name in ATTRIBUTES:
                    share, values, of = accuracy(model, rows, truth, name=name)
                    line = f"  {name:10} {share:.3f} of {of} (chance {1 / values:.3f})"
                    if any(value in UNHEARD for value in ATTRIBUTES[name]):
                        share, values, of = accuracy(model, rows, truth, name=name, unheard=True)
                        line += f"; asked in words never learnt {share:.3f} of {of} (chance {1 / values:.3f})"
                    print(line)
        print(f"demo library, {demo(model, Path(aside))}")


if __name__ == "__main__":
    main()
