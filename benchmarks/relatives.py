"""What is said to be similar to a meme: how much of it is right, without floors and with them.

    python -m benchmarks.relatives
    python -m benchmarks.relatives real_memes --memes 350 --list

For memes of a library, the first eight by each likeness before floors, and those above the floor. Right is, for the
template and for looks, the same template; for the subject, the same template or category; for words, captions that
share words as rare as one in 150 memes has, stop words aside. Floors were chosen on one half of the templates, by the
SHA-256 of their names; `--list` adds that half, by score.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from random import Random

import numpy as np

from benchmarks.data import Library, add_library, library_of
from benchmarks.harness import Benchmark, Half, Report, half_of
from search.encoders.registry import load_text_encoder
from search.index.lexical.analyzer import is_stop_word, tokenize
from search.index.local import LocalIndex
from search.meme import Likeness, Meme
from search.pipeline import QueryPipeline
from search.workspace import Workspace

SHOWN = 8  # memes of a section of a meme's page
RARE = 5.0  # summed inverse document frequencies of the words that two captions must share
STEPS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.88, 0.95)
LIKENESSES = (Likeness.TEMPLATE, Likeness.LOOK, Likeness.MEANING, Likeness.WORDS)
BENCHMARK = Benchmark(__doc__, needs="a library with templates: demo, cm50, real_memes", takes="2 minutes when indexed")
add_library(BENCHMARK)
BENCHMARK.option("--asked", 150, small=6, help="memes to find relatives of")
BENCHMARK.parser.add_argument("--list", action="store_true", help="precision by score on the half to choose floors on")


@dataclass(frozen=True)
class Relative:
    """A meme found for another: on which half, by what, its rank and score, whether it is right and above the floor."""

    half: Half
    likeness: Likeness
    rank: int
    score: float
    is_right: bool
    is_above: bool


def truth_of(library: Library) -> Callable[[Likeness, Meme, Meme], bool]:
    """Return the function that says whether a meme is a right relative of another."""
    terms = {
        path: {one.term for one in tokenize(caption) if not is_stop_word(caption[one.start : one.end])}
        for path, caption in library.captions.items()
    }
    memes = Counter(term for own in terms.values() for term in own)

    def is_right(likeness: Likeness, one: Meme, other: Meme) -> bool:
        if likeness is Likeness.WORDS:
            shared = terms[library.originals[one.path]] & terms[library.originals[other.path]]
            return sum(log(len(terms) / memes[term]) for term in shared) >= RARE
        same = library.templates[one.path] == library.templates[other.path]
        return same or (likeness is Likeness.MEANING and one.category == other.category)

    return is_right


def relatives(library: Library, workspace: Workspace, *, asked: int) -> list[Relative]:
    """Return what is found for a sample of memes."""
    pipeline = QueryPipeline(
        workspace.catalogue,
        LocalIndex.open(workspace.index),
        load_text_encoder(workspace.settings, long_running=True),
        weights=workspace.settings.weights,
    )
    memes = {meme.id: meme for meme in workspace.catalogue.memes.everything() if meme.path in library.templates}
    is_right = truth_of(library)
    found = []
    for meme in Random(2).sample(list(memes.values()), min(asked, len(memes))):
        for likeness in LIKENESSES:
            plan = pipeline.plan_similar(meme, likeness)
            ranking = pipeline.rank(plan)
            above = set(pipeline.find(plan).ids.tolist())
            for rank, place in enumerate(ranking.order):
                other = memes.get(int(ranking.ids[place]))
                if other is not None and (rank < SHOWN or other.id in above):
                    found.append(
                        Relative(
                            half=half_of(library.templates[meme.path]),
                            likeness=likeness,
                            rank=rank,
                            score=float(ranking.scores[place]),
                            is_right=is_right(likeness, meme, other),
                            is_above=other.id in above,
                        )
                    )
    return found


def measure(given: Namespace, report: Report) -> None:
    """Report the precision of each likeness on the held-out half."""
    library = library_of(given)
    found = relatives(library, library.workspace(), asked=given.asked)
    table = report.table(
        "of the first eight, held out",
        {"likeness": "", "before": "d", "right": ".3f", "above": "d", "right above": ".3f", "of right kept": ".3f"},
    )
    for likeness in LIKENESSES:
        own = [one for one in found if one.half is Half.HELD_OUT and one.likeness is likeness and one.rank < SHOWN]
        above = [one for one in own if one.is_above]
        right = sum(one.is_right for one in own)
        table.row(
            likeness.value,
            len(own),
            right / len(own) if own else None,
            len(above),
            sum(one.is_right for one in above) / len(above) if above else None,
            sum(one.is_right for one in above) / right if right else None,
        )
    if given.list:
        table = report.table(
            "half to choose floors on, by score", {"likeness and score": "", "memes": "d", "right": ".3f"}
        )
        for likeness in LIKENESSES:
            for step in STEPS:
                rows = [
                    one.is_right
                    for one in found
                    if one.half is Half.TUNED and one.likeness is likeness and one.score >= step
                ]
                if rows:
                    table.row(f"{likeness.value} {step}", len(rows), float(np.mean(rows)))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
