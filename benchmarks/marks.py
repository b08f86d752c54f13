"""What is drawn over one of two equal memes: marks of sites, which leave a copy, and all that makes another meme of it.

    python -m benchmarks.marks
    python -m benchmarks.marks --half "held out" --seeds 2

A word that is struck out, painted over, circled or replaced is a joke of its own; a site's name, a logo or a user's
name is none. Each kind is drawn on memes of real_memes in colors near and far from what lies under it, in thicknesses
from a pixel to the height of the letters, and both files are JPEGs that OCR reads. The templates are divided in two
halves; limits were tuned on the half `tuned`.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from random import Random

from benchmarks.cropped_words import ink_of
from benchmarks.data import shared
from benchmarks.drawn_marks import CHANGES, MARKS, Meme
from benchmarks.duplicates import encoded, read
from benchmarks.harness import Benchmark, Half, Report, half_of
from benchmarks.lookalikes import builder
from indexer.ocr.engines import load_ocr_engine
from search.duplicates.comparison import compare_prepared
from search.settings import Settings

BENCHMARK = Benchmark(__doc__, needs="real_memes and an OCR engine", takes="4 minutes a seed")
BENCHMARK.option("--each", 10, small=1, help="pairs of each kind, for each seed")
BENCHMARK.parser.add_argument("--seeds", type=int, nargs="+", default=[1])
BENCHMARK.parser.add_argument("--half", choices=list(Half), type=Half, default=Half.TUNED, help="whose templates")


def memes(half: Half, rng: Random) -> Iterator[Meme]:
    """Yield memes of a half's templates, each with another caption."""
    module = builder()
    captions = module.read_captions(shared("real_memes"))
    templates = {template.id: template for template in module.read_templates(shared("real_memes"))}
    every = [(id, tuple(texts)) for id, own in sorted(captions.items()) if half_of(id) is half for texts in own]
    for id, texts in rng.sample(every, len(every)):
        picture = module.render(templates[id], texts, rng)
        words = tuple(ink for ink in ink_of(picture.size, templates[id].zones, texts) if ink.any())
        if words:
            yield Meme(picture, words)


def measure(given: Namespace, report: Report) -> None:
    """Print how many of each kind are taken for copies."""
    fonts = sorted((shared("real_memes") / "fonts").glob("*.[ot]tf"))
    engine = None if given.small else load_ocr_engine(Settings(ocr_engine="rapidocr"))
    draws = MARKS | CHANGES
    asked, taken = dict.fromkeys(draws, 0), dict.fromkeys(draws, 0)
    for seed in given.seeds:
        rng = Random(f"{seed} {given.half} marks")
        drawn = memes(given.half, rng)
        for kind in draws:
            left = given.each
            while left:
                meme = next(drawn)
                altered = draws[kind](meme, fonts, rng)
                if altered is None:
                    continue
                left -= 1
                one, other = (read(encoded(each, rng.randint(80, 92)), engine) for each in (meme.picture, altered))
                asked[kind] += 1
                taken[kind] += compare_prepared(one[0], other[0], text_a=one[1], text_b=other[1]).is_duplicate
    table = report.table("taken for copies", {"kind": "", "pairs": ",d", "taken": ",d", "share": ".3f"})
    for name, kinds in (("all marks", MARKS), ("all changes", CHANGES)):
        for kind in kinds:
            table.row(kind, asked[kind], taken[kind], taken[kind] / asked[kind])
        sums = [sum(of[kind] for kind in kinds) for of in (asked, taken)]
        table.row(name, *sums, sums[1] / sums[0])


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
