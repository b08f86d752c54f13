"""Agreement of texts: recall and precision of finding descriptions that were replaced by another meme's.

    python -m benchmarks.agreement
    python -m benchmarks.agreement cm50

A share of the memes that have two descriptions gets one of them replaced by another meme's: of the same template, where
only words differ, or of any other. A text is found when it has the least support of its meme's texts and its support is
below a threshold. The threshold with the best F1 is chosen on the tuned half of the memes; figures are of the held-out
half. `flagged` counts memes without OCR text: there a contradiction shows, but not which text is wrong. `details` are
colours or numbers changed in one description. Search is measured before and after texts are weighted.

The two descriptions of CM50 are by one model and share most words: those of several models agree less. In the demo
library both are made of the same facts.
"""

from __future__ import annotations

import re
import shutil
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import Library, add_library, library_of
from benchmarks.harness import Benchmark, Report, Skipped, is_held_out
from indexer.stages.build_index import build_index
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.stages.weigh_texts import weights_of
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, ReadingRecord, open_catalogue
from search.encoders.registry import load_text_encoder
from search.meme import Text, TextKind
from search.searcher import Searcher
from search.settings import Settings
from search.texts.agreement import HALF, assess_texts, rate_texts, texts_with_vectors
from search.texts.claims import COLORS, NUMBERS, claims_of, conflicts
from search.workspace import Workspace

TEN = 10
QUERY_WORDS = 8  # of the text that a description quotes, at most
BENCHMARK = Benchmark(
    __doc__,
    needs="nothing (the drawn demo library), or CM50: see python -m benchmarks.data --help",
    takes="4 minutes with demo, 20 with cm50, most of it the first time, for drawing and indexing",
)
add_library(BENCHMARK)
BENCHMARK.option("--share", 0.2, help="share of the memes with a planted text")
BENCHMARK.option("--planted", 100, small=5, help="memes that get a wrong description and are searched")
BENCHMARK.option("--trials", 5, small=1, help="repetitions with other seeds")


@dataclass(frozen=True)
class Case:
    """A meme's path, its texts with their embeddings, descriptions first, and its template."""

    path: str
    texts: tuple[Text, ...]
    vectors: NDArray[np.float32]
    template: str


@dataclass(frozen=True)
class Trial:
    """Each text's support, and the index of the planted text; None when none is planted."""

    kind: str
    support: Sequence[float]
    planted: int | None


def cases(catalogue: Catalogue, library: Library, *, encoder: str) -> list[Case]:
    """Return the memes with two descriptions, one simple and one detailed, and their OCR text if they have one."""
    found = []
    for meme in catalogue.memes.everything():
        texts, vectors = texts_with_vectors(catalogue, meme, encoder=encoder)
        order = [
            at for kind in (TextKind.SIMPLE, TextKind.DETAILED) for at, one in enumerate(texts) if one.kind is kind
        ]
        if len(order) == 2:
            order += [at for at, one in enumerate(texts) if one.kind is TextKind.OCR]
            template = library.templates.get(meme.path, meme.path)
            found.append(Case(meme.path, tuple(texts[at] for at in order), vectors[order], template))
    return found


def trials(known: Sequence[Case], *, share: float, ocr: bool, seed: int) -> Iterator[Trial]:
    """Yield a trial for each meme; a share gets a planted text, half of them from a meme of the same template."""
    draw = np.random.default_rng(seed)
    by_template = defaultdict(list)
    for at, case in enumerate(known):
        by_template[case.template].append(at)
    for at, case in enumerate(known):
        texts, vectors = list(case.texts), case.vectors.copy()
        kind, planted = "own", None
        if draw.random() < share:
            near = [other for other in by_template[case.template] if other != at]
            far = [other for other, one in enumerate(known) if one.template != case.template]
            kind = "same template" if draw.random() < 0.5 and near else "other template"
            planted = int(draw.integers(2))
            source = known[int(draw.choice(near if kind == "same template" else far))]
            texts[planted], vectors[planted] = source.texts[planted], source.vectors[planted]
        if not ocr:
            texts, vectors = texts[:2], vectors[:2]
        elif len(texts) < 3:
            continue
        yield Trial(kind, [one.support for one in rate_texts(texts, vectors)], planted)


def named(trial: Trial, threshold: float) -> int | None:
    """Return the index of the outlier: the description with the least support, below the threshold, no tie."""
    least = int(np.argmin(trial.support))
    alone = sum(one <= trial.support[least] + 1e-9 for one in trial.support) == 1
    return least if least < 2 and alone and trial.support[least] < threshold else None


def figures(judged: Sequence[Trial], threshold: float) -> Mapping[str, float]:
    """Return precision, recall and F1 of finding the planted text, and the recall of each kind."""
    calls = [(trial, named(trial, threshold)) for trial in judged]
    right = sum(call is not None and call == trial.planted for trial, call in calls)
    made = sum(call is not None for _, call in calls)
    planted = sum(trial.planted is not None for trial in judged)
    precision, recall = right / max(made, 1), right / max(planted, 1)
    found = {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-9)}
    for kind in ("same template", "other template"):
        of_kind = [call == trial.planted for trial, call in calls if trial.kind == kind]
        found[f"recall, {kind}"] = sum(of_kind) / max(len(of_kind), 1)
    return found


def details(known: Sequence[Case], words: Sequence[str], *, seed: int) -> tuple[int, int, int]:
    """Return how many simple descriptions were changed, how many then conflict, and how many conflicted before."""
    draw = np.random.default_rng(seed)
    pattern = re.compile(rf"\b({'|'.join(words)})\b", re.IGNORECASE)
    changed = seen = before = 0
    for case in known:
        simple, detailed = case.texts[:2]
        spoken = re.sub(r'["“][^\n]*["”]', lambda quote: " " * len(quote[0]), simple.body)
        places = list(pattern.finditer(spoken))
        if not places:
            continue
        place = places[int(draw.integers(len(places)))]
        other = str(draw.choice([word for word in words if word != place[0].lower()]))
        altered = replace(simple, body=simple.body[: place.start()] + other + simple.body[place.end() :])
        changed += 1
        seen += bool(conflicts(claims_of(altered.body), claims_of(detailed.body)))
        before += bool(conflicts(claims_of(simple.body), claims_of(detailed.body)))
    return changed, seen, before


def searched(library: Library, report: Report, *, planted: int) -> None:
    """Add how search ranks memes with a planted description, before and after their texts are weighted.

    In a copy of the data folder, memes with OCR text get one more simple description: that of a meme of another
    template, which leaves the library. The queries are the words that each planted description quotes, which should
    not find the meme, and those that the meme's own description quotes, which should.
    """
    table = report.table("search", {"texts": "", "query": "", "first": "d", "in ten": "d", "of": "d"})
    with TemporaryDirectory() as folder:
        shutil.copytree(library.data, folder, dirs_exist_ok=True)
        settings = Settings(library=library.memes, data=Path(folder))
        encoder = load_text_encoder(settings)
        with open_catalogue(settings) as catalogue:
            asked = _plant(catalogue, library, encoder=encoder.name, count=planted)
            split_texts(catalogue)
            embed_passages(catalogue, encoder, progress=SILENT)
            for when in ("before weighing", "after weighing"):
                for meme in catalogue.memes.everything():
                    heard = assess_texts(catalogue, meme, encoder=encoder.name)
                    weights = weights_of(catalogue, heard) if when == "after weighing" else {}
                    catalogue.texts.put_weights(meme.id, weights)
                build_index(Workspace(settings, catalogue), text_encoder=encoder.name, force=True)
                searcher = Searcher(Workspace(settings, catalogue), text_encoder=encoder)
                for side, name in enumerate(("planted words", "own words")):
                    ranks = []
                    for id, queries in asked:
                        found = [hit.meme.id for hit in searcher.search(queries[side], k=TEN).hits]
                        ranks.append(found.index(id) + 1 if id in found else None)
                    firsts, tens = sum(rank == 1 for rank in ranks), sum(rank is not None for rank in ranks)
                    table.row(when, name, firsts, tens, len(asked))


def _plant(catalogue: Catalogue, library: Library, *, encoder: str, count: int) -> list[tuple[int, tuple[str, str]]]:
    """Plant descriptions on memes with OCR; return the memes' ids, the planted words and their own."""
    draw = np.random.default_rng(7)
    usable = []
    for meme in catalogue.memes.everything():
        texts, _ = texts_with_vectors(catalogue, meme, encoder=encoder)
        simple = next((text for text in texts if text.kind is TextKind.SIMPLE), None)
        words = "" if simple is None else " ".join(" ".join(claims_of(simple.body).quoted).split()[:QUERY_WORDS])
        if simple is not None and len(words) > 20 and any(text.kind is TextKind.OCR for text in texts):
            usable.append((meme, simple, words))
    order = [int(at) for at in draw.permutation(len(usable))]
    asked, gone = [], []
    for victim, source in zip(order[:count], order[count : 2 * count], strict=False):
        meme, _, own = usable[victim]
        other, body, words = usable[source]
        if library.templates.get(meme.path) == library.templates.get(other.path):
            continue
        catalogue.readings.put(ReadingRecord(meme.content_hash, TextKind.SIMPLE, "planted", body.body))
        asked.append((meme.id, (words, own)))
        gone.append(other.id)
    catalogue.memes.mark_vanished(gone)
    return asked


def measure(given: Namespace, report: Report) -> None:
    """Print figures of the held-out half."""
    library = library_of(given)
    with library.workspace() as workspace:
        known = cases(workspace.catalogue, library, encoder=workspace.settings.text_encoder)
    tuning = [case for case in known if not is_held_out(case.path)]
    testing = [case for case in known if is_held_out(case.path)]
    if len(tuning) < 2 or len(testing) < 2:
        raise Skipped("the library has too few memes with two descriptions.")
    descriptions = np.array([case.vectors[0] for case in tuning])
    cosines = (descriptions @ descriptions.T)[np.triu_indices(len(descriptions), 1)]
    report.note(f"cosines of descriptions, tuned half: mean {cosines.mean():.3f}, deviation {cosines.std():.3f}")
    first, second = range(given.trials), range(given.trials, 2 * given.trials)
    judged = [trial for seed in first for trial in trials(tuning, share=given.share, ocr=True, seed=seed)]
    ladder = np.round(np.arange(0.05, 1.0, 0.01), 2)
    best = max(ladder, key=lambda threshold: figures(judged, threshold)["f1"])
    report.note(f"{len(known)} memes; the best threshold on the tuned half, {len(tuning)}, is {best}; in use is {HALF}")
    judged = [trial for seed in second for trial in trials(testing, share=given.share, ocr=True, seed=seed)]
    table = report.table(f"with OCR text, {len(judged)} trials, held out", {"threshold": "", "": "", "value": ".3f"})
    for threshold in sorted({best, HALF}):
        for name, value in figures(judged, threshold).items():
            table.row(f"{threshold}", name, value)
    judged = [trial for seed in second for trial in trials(testing, share=given.share, ocr=False, seed=seed)]
    table = report.table("without OCR text, held out", {"planted": "", "flagged": ".3f", "of": ",d"})
    for kind in ("own", "same template", "other template"):
        flagged = [min(trial.support) < HALF for trial in judged if trial.kind == kind]
        table.row(kind, np.mean(flagged or [False]), len(flagged))
    table = report.table("details, held out", {"changed": "", "seen": "d", "of": "d", "seen before the change": "d"})
    for name, words in (("colour", sorted(COLORS)), ("number", [word for word in NUMBERS if word != "one"])):
        changed, seen, before = details(testing, words, seed=1)
        table.row(name, seen, changed, before)
    searched(library, report, planted=given.planted)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
