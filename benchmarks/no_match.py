"""Errors of the relevance cut-off: for queries with and without a relevant meme.

    python -m benchmarks.no_match CM50 CM50-DATA REAL REAL-DATA [--fit]

CM50 and REAL are libraries that the `build_library.py` of CM50 and of real_memes drew, each with its data folder.
Queries without an answer are made four ways: a meme is hidden from its own queries; all memes of its template are; the
captions of one library are asked of the other; words and letters are combined at random. Words that many memes contain
are queries alone and in pairs: broad queries have answers too. Half of the memes, by their ids' hashes, fit the
regression, with the same weight for every kind of query; all figures are of the other half. `--fit` fits a new
regression and measures it.
"""

from __future__ import annotations

import argparse
import json
import random
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.data import shared
from benchmarks.harness import half_of, machine, machine_line
from search.catalogue import open_catalogue
from search.encoders.registry import load_text_encoder
from search.index.analyzer import query_terms
from search.index.reader import Index
from search.pipeline import QueryPipeline
from search.ranking.relevance import (
    FEATURES,
    RELEVANCE_MODEL,
    Cutoff,
    Features,
    RelevanceModel,
    query_stats,
    relevance_features,
)
from search.settings import Settings

NONSENSE = 400
BROAD = 150  # words
MAX_DOUBTED = 0.05  # share of the pages with an answer that may be reported as without one


@dataclass(frozen=True)
class Question:
    """A query of a kind, its half, the paths of its answers, and the paths that are hidden from it."""

    kind: str
    half: str
    query: str
    answers: frozenset[str]
    hidden: frozenset[str] = frozenset()


def questions_of_cm50(library: Path) -> Iterator[Question]:
    """Yield the judged queries as they are, without their meme, and without their meme's template."""
    truth = json.loads((library / "truth.json").read_text("utf-8"))
    paths = {id: one["path"].removeprefix("memes/") for id, one in truth.items()}
    templates: dict[str, set[str]] = {}
    for id, one in truth.items():
        templates.setdefault(one["template"], set()).add(paths[id])
    for id, kinds in json.loads((shared("cm50") / "queries_dev.json").read_text("utf-8")).items():
        own, half = frozenset({paths[id]}), half_of(id)
        for kind, query in kinds.items():
            yield Question(kind, half, query, own)
            yield Question(f"{kind}, meme hidden", half, query, frozenset(), own)
            yield Question(
                f"{kind}, template hidden", half, query, frozenset(), frozenset(templates[truth[id]["template"]])
            )


def broad_questions(settings: Settings) -> Iterator[Question]:
    """Yield broad queries: words that several memes contain, alone and in pairs."""
    random_ = random.Random(7)
    with open_catalogue(settings, create=False) as catalogue:
        paths = {meme.id: meme.path for meme in catalogue.memes.everything()}
        words = Index.open(settings.data / "index").lexical
        few, many = max(3, len(paths) // 200), len(paths) // 8
        known = [word for word, memes in words.vocabulary.items() if few <= memes <= many and word.isalpha()]
        for word in random_.sample([word for word in known if len(word) > 2], BROAD):
            holders = words.search(query_terms(word), k=len(paths))[0].tolist()
            half = half_of(word)
            yield Question("one word", half, word, frozenset(paths[id] for id in holders))
            other = random_.choice(holders)
            words_beside = {
                two for row in catalogue.texts.passages_of([other]) for two in row.passage.body.lower().split()
            }
            beside = sorted(words_beside.intersection(known) - {word})
            if beside:
                two = random_.choice(beside)
                both = set(holders) & set(words.search(query_terms(two), k=len(paths))[0].tolist())
                yield Question("two words", half, f"{word} {two}", frozenset(paths[id] for id in both))


def questions_of_real(library: Path) -> Iterator[Question]:
    """Yield quotes, some with a typo, once as they are and once with all memes that contain them hidden."""
    truth = json.loads((library / "truth.json").read_text("utf-8"))
    copies: dict[str, set[str]] = {}
    for one in truth["duplicates"]:
        copies.setdefault(one["original"], set()).add(one["copy"])
    for quote in truth["quotes"]:
        right = set(quote["relevant"]).union(*(copies.get(path, set()) for path in quote["relevant"]))
        answers = frozenset(path.removeprefix("memes/") for path in right)
        half = half_of(sorted(answers)[0])
        for kind, query in (("quote", quote["query"]), ("slip", quote["typo"])):
            yield Question(kind, half, query, answers)
            yield Question(f"{kind}, meme hidden", half, query, frozenset(), answers)


def strangers(own: Sequence[Question], other: Sequence[Question]) -> Iterator[Question]:
    """Yield queries that were written for another library, and nonsense."""
    for one in other:
        if one.answers and one.kind in ("quote", "slip", "title"):
            yield Question("of another library", one.half, one.query, frozenset())
    random_ = random.Random(5)
    words = sorted({word for one in [*own, *other] for word in one.query.split()})
    for number in range(NONSENSE):
        half = ("tuned", "held out")[number % 2]
        salad = " ".join(random_.sample(words, random_.randint(2, 7)))
        yield Question("words thrown together", half, salad, frozenset())
        letters = ("".join(random_.choices(string.ascii_lowercase, k=random_.randint(3, 10))) for _ in range(3))
        yield Question("letters thrown together", half, " ".join(letters), frozenset())


@dataclass(frozen=True)
class Ranked:
    """The features of a question's ranking, and whether the first hit and the first page hold an answer."""

    question: Question
    features: Features
    first: bool
    page: bool


def ranked(settings: Settings, questions: Sequence[Question]) -> list[Ranked]:
    """Return the features of each question's ranking, by the pipeline that the site ranks with."""
    found = []
    with open_catalogue(settings, create=False) as catalogue:
        paths = {meme.id: meme.path for meme in catalogue.memes.everything()}
        ids = {path: id for id, path in paths.items()}
        pipeline = QueryPipeline(
            catalogue,
            Index.open(settings.data / "index"),
            load_text_encoder(settings, long_running=True),
            weights=settings.weights,
        )
        for one in questions:
            plan = pipeline.plan(one.query)
            if one.hidden:
                hidden = np.array([ids[path] for path in one.hidden])
                allowed = pipeline.index.columns.ids if plan.allowed is None else plan.allowed
                plan = replace(plan, allowed=np.setdiff1d(allowed, hidden))
            if plan.listing is not None:
                continue  # the query is read as filters alone: nothing is ranked
            ranking = pipeline.rank(plan)
            stats = plan.stats or query_stats(pipeline.index.lexical, plan.terms)
            first_page = [paths[int(id)] for id in ranking.ranked_ids[:10]]
            found.append(
                Ranked(
                    question=one,
                    features=relevance_features(ranking, stats),
                    first=bool(first_page) and first_page[0] in one.answers,
                    page=bool(one.answers.intersection(first_page)),
                )
            )
    return found


def fitted(rows: Sequence[Ranked]) -> RelevanceModel:
    """Return the regression on the half to tune on: pages that answer, against those of queries without an answer.

    It starts from where as many of the pages that answer are lost as MAX_DOUBTED.
    """
    from sklearn.linear_model import LogisticRegression

    rows = [row for row in rows if row.question.half == "tuned" and len(row.features)]
    rows = [row for row in rows if row.page or not row.question.answers]
    signs = np.stack([row.features[0] for row in rows])
    answered = np.array([row.page for row in rows])
    kinds = Counter((row.question.kind, row.page) for row in rows)
    sides = Counter(page for _, page in kinds)
    shares = [len(rows) / (2 * kinds[row.question.kind, row.page] * sides[row.page]) for row in rows]
    spread = signs.std(axis=0) + 1e-9
    model = LogisticRegression(max_iter=3000).fit(signs / spread, answered, sample_weight=shares)
    weights = tuple(round(float(weight), 3) for weight in model.coef_[0] / spread)
    odds = np.sort([RelevanceModel(weights, 0.0).cutoff(row.features).log_odds for row in rows if row.page])
    return RelevanceModel(weights, round(-float(odds[int(MAX_DOUBTED * len(odds))]), 3))


def report(rows: Sequence[Ranked], model: RelevanceModel) -> None:
    """Print the area under the ROC curve and the errors at the threshold in use, on the held-out half."""
    from sklearn.metrics import roc_auc_score

    held = [(row, model.cutoff(row.features)) for row in rows if row.question.half == "held out"]
    with_answer = [one for one in held if one[0].question.answers]
    print("\nqueries with an answer                  said `no good match`   … of those answered on the first page")
    for kind in [*dict.fromkeys(row.question.kind for row, _ in with_answer), "all"]:
        own = [one for one in with_answer if kind in (one[0].question.kind, "all")]
        good = [one for one in own if one[0].page]
        print(f"{kind:40}{_share(own):.3f} of {len(own):<14}{_share(good):.3f} of {len(good)}")
    print("\nqueries without                         said `no good match`   AUC against all with an answer")
    without = [one for one in held if not one[0].question.answers]
    for kind in [*dict.fromkeys(row.question.kind for row, _ in without), "all"]:
        own = [one for one in without if kind in (one[0].question.kind, "all")]
        labels = [1] * len(with_answer) + [0] * len(own)
        area = roc_auc_score(labels, [one.log_odds for _, one in [*with_answer, *own]])
        print(f"{kind:40}{_share(own):.3f} of {len(own):<14}{area:.3f}")
    certain = [one.relevant for row, one in with_answer if row.page]
    many = np.percentile(certain, [50, 90])
    print(
        f"\nhits before the weak tail, where the first page answers: median {many[0]:.0f}, nine in ten ≤ {many[1]:.0f}"
    )


def _share(rows: Sequence[tuple[Ranked, Cutoff]]) -> float:
    return float(np.mean([one.relevant == 0 for _, one in rows])) if rows else float("nan")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cm50", "cm50_data", "real", "real_data"):
        arguments.add_argument(name, type=Path)
    arguments.add_argument("--fit", action="store_true", help="fit a new regression, print its weights and measure it")
    given = arguments.parse_args()
    print(machine_line(machine()))
    cm50, real = list(questions_of_cm50(given.cm50)), list(questions_of_real(given.real))
    one = Settings(library=given.cm50 / "memes", data=given.cm50_data)
    other = Settings(library=given.real / "memes", data=given.real_data)
    rows = ranked(one, [*cm50, *broad_questions(one), *strangers(cm50, real)])
    rows += ranked(other, [*real, *broad_questions(other), *strangers(real, cm50)])
    model = fitted(rows) if given.fit else RELEVANCE_MODEL
    if given.fit:
        print("\n" + "\n".join(f"{name:32}{weight:9.3f}" for name, weight in zip(FEATURES, model.weights, strict=True)))
        print(f"{'bias':32}{model.bias:9.3f}")
    report(rows, model)


if __name__ == "__main__":
    main()
