"""Category suggestions in several scripts, beside a plain half and half of characters and pictures.

    python -m benchmarks.category_scripts
    python -m benchmarks.category_scripts --languages Chinese,Arabic --seed 5

Pictures and categories are real_memes'; the words of each language are drawn: most of a category's words are frequent
in it, none is in it alone. Memes of the held-out half are predicted by models that learnt from other templates, so
neither the picture nor the words decide. The names of categories count for nothing, as names that no encoder reads.
Nothing was tuned on these captions, but the pictures are those that the suggester was tuned on.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from random import Random

import numpy as np

from benchmarks.categories import (
    COLUMNS,
    add_row,
    half_and_half,
    judged,
    majority,
    numbered,
    on_characters,
    on_pictures,
    predicted,
    whole,
)
from benchmarks.data import drawn_library
from benchmarks.harness import Benchmark, Report
from benchmarks.scripts import LANGUAGES, Language
from search.categories.features import combine_features, library_examples
from search.categories.training import folds
from search.encoders.registry import load_text_encoder
from search.index.generations import live_image_encoder

BENCHMARK = Benchmark(__doc__, needs="the folder real_memes", takes="2 minutes a language")
BENCHMARK.option("--memes", 500, small=120, help="memes to draw")
BENCHMARK.option("--seed", 1, help="draws other memes and other words")
BENCHMARK.option("--languages", "English,Russian,Chinese,Arabic,Thai", small="Chinese", help="separated by commas")
FREQUENT = 8  # words that are frequent in a category
SHARE = 0.4  # of a caption's words that are of these


def captions(categories: tuple[str, ...], language: Language, random: Random) -> list[str]:
    """Return a caption for each meme's category: 5 to 9 words, some of them frequent in the category."""
    own = {one: random.sample(list(language.words), FREQUENT) for one in sorted(set(categories))}
    return [
        language.space.join(
            random.choice(own[one] if random.random() < SHARE else language.words) for _ in range(random.randint(5, 9))
        )
        for one in categories
    ]


def measure(given: Namespace, report: Report) -> None:
    """Print a table for each language."""
    library = drawn_library("real_memes", memes=given.memes, seed=given.seed)
    library = replace(library, data=library.root / "data-without-ocr", ocr=False)
    with library.workspace(image_encoder="built-in") as workspace:
        settings, catalogue = workspace.settings, workspace.catalogue
        known = library_examples(
            catalogue, encoder=settings.text_encoder, image_encoder=live_image_encoder(workspace.index)
        )
        memes = judged(known, catalogue, library)
        encoder = load_text_encoder(settings)
    own = memes.known
    truth, count = numbered(list(own.categories)), len(set(own.categories))
    parts = memes.asked(folds(truth, memes.templates))
    together = np.concatenate([memes.templates[held] for _, held in parts])
    for name in given.languages.split(","):
        texts = captions(own.categories, LANGUAGES[name], Random(f"{given.seed} {name}"))
        features = combine_features(
            encoder.encode(texts),
            own.features.descriptors,
            own.features.bits,
            pictures=own.features.pictures,
            texts=texts,
        )
        spoken = replace(own, features=features)
        asked = sum(len(held) for _, held in parts)
        table = report.table(
            f"{name}: {asked} of {len(own)} memes, {count} categories, templates held out", {"method": "", **COLUMNS}
        )
        for label, predictor in (
            ("majority", majority),
            ("on characters", on_characters),
            ("on pictures' embeddings", on_pictures),
            ("plain half and half", half_and_half),
            ("Memetica: all, calibrated", whole),
        ):
            found, right = predicted(spoken, parts, predictor, {}, {})
            add_row(table, label, found, right, count, together)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
