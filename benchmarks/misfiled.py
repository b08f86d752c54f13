"""Category check: how many of the memes that are listed as misfiled are, and how many of the misfiled are listed.

    python -m benchmarks.misfiled real_memes --memes 600 --seed 202
    python -m benchmarks.misfiled cm50

A share of the memes, in whole groups of copies, is said to be in another category, drawn at random; real_memes files
some copies at random by itself. A listed meme is right if it is not where its original belongs and the proposed
category is. "Known" are misfiled memes whose template the library has elsewhere: of others nothing is claimed. The
words are those that were drawn, so that no picture need be read.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

import numpy as np

from benchmarks.categories import with_captions
from benchmarks.data import add_library, library_of
from benchmarks.harness import Benchmark, Report
from indexer.stages.train_categories import embed_names, embed_picture_names
from search.categories.features import library_examples
from search.categories.issues import IssueKind
from search.categories.library_audit import audit
from search.categories.splits import split_groups
from search.categories.training import fit
from search.encoders.registry import load_text_encoder
from search.index.generations import live_image_encoder

BENCHMARK = Benchmark(__doc__, needs="CM50 or real_memes: see python -m benchmarks.data --help", takes="4 minutes")
add_library(BENCHMARK, small=100)
BENCHMARK.option("--share", 0.05, help="share of the groups of copies that are misfiled")
BENCHMARK.option("--trials", 2, small=1, help="repetitions with other memes misfiled")


def measure(given: Namespace, report: Report) -> None:
    """Print a row for each trial."""
    library = library_of(given)
    library = replace(library, data=library.root / "data-without-ocr", ocr=False)
    with library.workspace(image_encoder="built-in") as workspace:
        catalogue, settings = workspace.catalogue, workspace.settings
        image_encoder = live_image_encoder(workspace.index)
        known = library_examples(catalogue, encoder=settings.text_encoder, image_encoder=image_encoder)
        encoder = load_text_encoder(settings)
        known = with_captions(known, catalogue, library, encoder)
        names = embed_names(known.categories, encoder=encoder)
        picture_names = embed_picture_names(known.categories, settings, image_encoder=image_encoder)
        memes = {meme.id: meme for meme in catalogue.memes.everything()}
    originals = [library.originals.get(memes[int(id)].path, memes[int(id)].path) for id in known.ids]
    right = [path.rpartition("/")[0] for path in originals]
    categories = sorted(set(right))
    kinds, group = np.unique(originals, return_inverse=True)
    columns = {"trial": "", "misfiled": ",d", "known": ",d", "listed": ",d", "right": ".3f", "known found": ".3f"}
    table = report.table(f"{len(known)} memes, {len(categories)} categories", columns)
    for trial in range(given.trials):
        rng = np.random.default_rng(trial)
        moved = {
            int(one): str(rng.choice([name for name in categories if name != right[np.flatnonzero(group == one)[0]]]))
            for one in rng.permutation(len(kinds))[: round(given.share * len(kinds))]
        }
        filed = tuple(moved.get(int(one), own) for one, own in zip(group, known.categories, strict=True))
        examples = replace(known, categories=filed)
        duplicates, variants = split_groups(examples)
        _, held_out = fit(examples, names=names, duplicates=duplicates, variants=variants, picture_names=picture_names)
        listed = [one for one in audit(examples, held_out, memes) if one.kind is IssueKind.MISFILED]
        place = {content: at for at, content in enumerate(known.contents)}
        found = {place[one.memes[0]]: one.target for one in listed}
        good = [at for at, category in found.items() if filed[at] != right[at] and category == right[at]]
        wrong = [at for at in range(len(filed)) if filed[at] != right[at]]
        reachable = [at for at in wrong if held_out.known_template[at]]
        table.row(
            str(trial + 1),
            len(wrong),
            len(reachable),
            len(found),
            len(good) / max(1, len(found)),
            len(set(good) & set(reachable)) / max(1, len(reachable)),
        )


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
