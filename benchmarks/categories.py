"""Category suggestions: accuracy and calibration of the suggester, compared with simple classifiers.

    python -m benchmarks.categories
    python -m benchmarks.categories cm50
    python -m benchmarks.categories real_memes --captions
    python -m benchmarks.categories real_memes --tune

Features are of the picture, its embedding by the image encoder, and the OCR text. The last row adds the library's
descriptions, whose writers knew the category, to measure that leak. Each meme of the held-out half is predicted once,
by models that learnt from the memes of both halves without its group: its duplicates; all memes of its template (the
hard case); or, split by time, all later memes. "By chance" is the calibration error that the same probabilities would
have if they were calibrated perfectly: the sample is small, and memes of a group stand or fall together. `--tune`
compares weights on the tuned half alone. `--captions` takes the words that were drawn on a meme in place of what OCR
reads of them, so that no picture need be read, and leaves out the descriptions and the table of names. The weights in
use were chosen before the halves were split as now: some held-out memes influenced the choice among ten candidates.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.calibration import calibration_error, chance_error, coverage
from benchmarks.data import Library, add_library, library_of
from benchmarks.harness import Benchmark, Half, Report, Skipped, Table, half_of
from indexer.stages.train_categories import embed_names, embed_picture_names
from search.catalogue import Catalogue
from search.categories.characters import fit_characters
from search.categories.density import PictureDensity
from search.categories.features import (
    DESCRIPTOR_WEIGHT,
    FINGERPRINT_WEIGHT,
    TEXT_WEIGHT,
    Examples,
    combine_features,
    library_examples,
)
from search.categories.fitting import (
    FEATURES_C,
    WORDS_C,
    fit_character_model,
    fit_linear_models,
    fit_logistic,
    fit_pictures,
)
from search.categories.model import confident_category, seen_logits, softmax
from search.categories.splits import split_groups
from search.categories.training import (
    fit,
    folds,
    has_known_template,
    nearest_cosines,
)
from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.index.generations import live_image_encoder
from search.meme import Field

LATER = 0.2  # share of the memes, the last seen, that a split by time predicts
PLAIN_C = 10.0  # C of the plain regressions
# Weights of words, look and template, and scikit-learn's C.
TRIED = (
    (1.0, 1.0, 0.5, 10.0),
    (1.0, 2.0, 0.5, 10.0),
    (1.0, 2.0, 0.5, 30.0),
    (1.0, 2.0, 0.5, 300.0),
    (1.0, 2.0, 1.0, 30.0),
    (1.0, 3.0, 0.5, 30.0),
    (1.0, 3.0, 1.0, 100.0),
    (1.0, 4.0, 1.0, 100.0),
    (1.0, 4.0, 2.0, 100.0),
    (0.5, 4.0, 1.0, 300.0),
)
Places = NDArray[np.int64]
Names = dict[str, NDArray[np.float32]]
Predictor = Callable[["Task"], NDArray[np.float64]]
BENCHMARK = Benchmark(
    __doc__,
    needs="nothing (the drawn demo library), or CM50 or real_memes: see python -m benchmarks.data --help",
    takes="3 minutes with demo, 20 with cm50, most of it the first time, for drawing and indexing",
)
add_library(BENCHMARK, small=100)
BENCHMARK.option("--image-encoder", "built-in", small="", help="the image encoder; empty for none")
BENCHMARK.parser.add_argument("--captions", action="store_true", help="the words as drawn in place of OCR's")
BENCHMARK.parser.add_argument("--brief", action="store_true", help="without the weaker peers and the split by time")
BENCHMARK.parser.add_argument("--tune", action="store_true", help="compare weights on the tuned half instead")


def numbered(names: list[str]) -> Places:
    """Return a number for each name; equal names get equal numbers."""
    return np.unique(names, return_inverse=True)[1]


@dataclass(frozen=True)
class Task:
    """Memes to learn from, their categories' numbers, memes to predict, and all categories.

    `names` and `picture_names` are the rows of categories' names by the text encoder and by the image encoder.
    """

    known: Examples
    truth: Places
    asked: Examples
    categories: tuple[str, ...]
    names: Names
    picture_names: Names


def majority(task: Task) -> NDArray[np.float64]:
    """Return the categories' shares, for every meme the same."""
    shares = np.bincount(task.truth, minlength=len(task.categories)) / len(task.truth)
    return np.tile(shares, (len(task.asked), 1))


def neighbors(task: Task, *, count: int) -> NDArray[np.float64]:
    """Return the votes of the nearest memes by all features, the nearer the more."""
    model = KNeighborsClassifier(count, weights="distance").fit(task.known.features.rows, task.truth)
    found = np.zeros((len(task.asked), len(task.categories)))
    found[:, model.classes_] = model.predict_proba(task.asked.features.rows)
    return found


def on_words(task: Task) -> NDArray[np.float64]:
    """Return fit_logistic regression on the words in the picture."""
    rows, asked = (one.features.words for one in (task.known, task.asked))
    model = fit_logistic(rows, task.truth, count=len(task.categories), c=WORDS_C)
    return softmax(model.logits(asked))


def on_everything(task: Task) -> NDArray[np.float64]:
    """Return fit_logistic regression on all features as it comes, not calibrated."""
    rows, asked = (one.features.rows for one in (task.known, task.asked))
    return softmax(fit_logistic(rows, task.truth, count=len(task.categories), c=FEATURES_C).logits(asked))


def on_characters(task: Task) -> NDArray[np.float64]:
    """Return the linear model on characters of the OCR text as it comes, not calibrated."""
    known = fit_characters(task.known.features.texts)
    model = fit_character_model(known, known.rows(task.known.features.texts), task.truth, count=len(task.categories))
    return softmax(model.logits(task.asked.features.texts))


def on_pictures(task: Task) -> NDArray[np.float64]:
    """Return the regression on the rows of the image encoder as it comes, not calibrated."""
    model = fit_pictures(task.known.features.pictures, task.truth, count=len(task.categories))
    return softmax(seen_logits(model, task.asked.features.pictures))


def half_and_half(task: Task) -> NDArray[np.float64]:
    """Return the mean of two plain regressions: on characters in ones, twos and threes, and on pictures' embeddings.

    Both are scikit-learn's, with C = PLAIN_C, so that nothing of the suggester is in this peer.
    """
    texts = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    known, asked = task.known.features, task.asked.features
    parts = [(known.pictures, asked.pictures)] if known.pictures.shape[1] else []
    if any(known.texts):
        parts.append((texts.fit_transform(known.texts), texts.transform(asked.texts)))
    found = np.zeros((len(asked), len(task.categories)))
    for rows, queries in parts:
        model = LogisticRegression(C=PLAIN_C, max_iter=300).fit(rows, task.truth)
        found[:, model.classes_] += model.predict_proba(queries) / len(parts)
    return found


def whole(task: Task) -> NDArray[np.float64]:
    """Return what Memetica says, fitted and calibrated within what it may see; a last column says what is sure."""
    duplicates, variants = split_groups(task.known)
    model, _ = fit(
        task.known, names=task.names, duplicates=duplicates, variants=variants, picture_names=task.picture_names
    )
    known_template = has_known_template(task.asked.features, task.known.features)
    found = np.zeros((len(task.asked), len(task.categories) + 1))
    places = np.searchsorted(np.array(model.categories), np.array(task.known.categories))
    nearest = nearest_cosines(task.asked.features, task.known.features, places, count=len(model.categories))
    pictures = PictureDensity(task.known.features.pictures, places, count=len(model.categories))
    density = pictures.scores(task.asked.features.pictures)
    own = model.probabilities(task.asked.features, known_template, nearest, density)
    found[:, [task.categories.index(one) for one in model.categories]] = own
    found[:, -1] = [
        confident_category(model, row, known_template=bool(near))[0] is not None
        for row, near in zip(own, known_template, strict=True)
    ]
    return found


PREDICTORS: dict[str, Predictor] = {
    "majority": majority,
    "nearest neighbour": partial(neighbors, count=1),
    "5 nearest neighbours": partial(neighbors, count=5),
    "regression on words": on_words,
    "regression on all": on_everything,
    "… on characters": on_characters,
    "… on pictures' embeddings": on_pictures,
    "plain half and half": half_and_half,
    "Memetica: all, calibrated": whole,
}
BRIEF = (majority, on_pictures, half_and_half, whole)


def predicted(
    known: Examples, parts: Iterable[tuple[Places, Places]], predictor: Predictor, *names: Names
) -> tuple[NDArray[np.float64], Places]:
    """Return the predictions for all memes that are asked, and their categories' numbers; names are as in Task."""
    categories = tuple(sorted(set(known.categories)))
    truth = np.searchsorted(np.array(categories), np.array(known.categories))
    rows, of = [], []
    for seen, held in parts:
        rows.append(predictor(Task(known.of(seen), truth[seen], known.of(held), categories, *names)))
        of.append(truth[held])
    return np.concatenate(rows), np.concatenate(of)


COLUMNS = {
    "top-1": ".3f",
    "top-3": ".3f",
    "F1": ".3f",
    "ECE": ".3f",
    "by chance": ".3f",
    "cover .90": ".3f",
    "sure": ".3f",
    "right": ".3f",
}


def add_row(table: Table, label: str, found: NDArray[np.float64], truth: Places, count: int, groups: Places) -> None:
    """Add a method's figures; a column of `found` beyond the categories says which memes were called sure.

    `groups` are of memes that stand or fall together.
    """
    sure = found[:, count] > 0 if found.shape[1] > count else None
    found = found[:, :count]
    order = np.argsort(-found, axis=1, kind="stable")
    right = order[:, 0] == truth
    table.row(
        label,
        right.mean(),
        (order[:, :3] == truth[:, None]).any(axis=1).mean(),
        f1_score(truth, order[:, 0], average="macro", zero_division=0),
        calibration_error(found, truth),
        chance_error(found, groups),
        coverage(found, truth),
        None if sure is None else sure.mean(),
        None if sure is None or not sure.any() else right[sure].mean(),
    )


@dataclass(frozen=True)
class Judged:
    """The memes whose original is known: groups of copies and of templates, which half each is in, the split by time.

    All are arrays over the same memes; `later` has the positions of those seen before and after.
    """

    known: Examples
    copies: Places
    templates: Places
    held_out: NDArray[np.bool_]
    later: tuple[Places, Places]

    def of(self, chosen: NDArray[np.bool_]) -> tuple[Examples, Places]:
        """Return some of the memes and their groups of copies."""
        places = np.flatnonzero(chosen)
        return self.known.of(places), numbered([str(group) for group in self.copies[places]])

    def asked(self, parts: Iterable[tuple[Places, Places]]) -> list[tuple[Places, Places]]:
        """Return the parts with only the held-out half asked."""
        return [(seen, held[self.held_out[held]]) for seen, held in parts]


def judged(known: Examples, catalogue: Catalogue, library: Library) -> Judged:
    """Return the memes whose original is known."""
    memes = {meme.id: meme for meme in catalogue.memes.everything()}
    own = [memes[int(id)] for id in known.ids]
    origins, templates = library.originals, library.templates
    wanted = [at for at, meme in enumerate(own) if meme.path in origins]
    places = np.array(wanted, np.int64)
    own = [own[at] for at in wanted]
    seen = np.argsort([meme.first_seen.timestamp() for meme in own], kind="stable")
    cut = round(len(own) * (1 - LATER))
    copies, of = (numbered([names[meme.path] for meme in own]) for names in (origins, templates))
    # What came later is not asked about where its original came before: that is the duplicates' business.
    later = np.array([at for at in seen[cut:] if copies[at] not in set(copies[seen[:cut]].tolist())], np.int64)
    halves = np.array([half_of(origins[meme.path]) is Half.HELD_OUT for meme in own])
    return Judged(known.of(places), copies, of, halves, (np.sort(seen[:cut]), np.sort(later)))


def tune(known: Examples, copies: Places, report: Report) -> None:
    """Print what the tried weights give on the half to tune on, with duplicates kept together."""
    truth = numbered(list(known.categories))
    table = report.table("tuned half", {"words, look, template, C": "", "top-1": ".3f"})
    for text, look, template, c in TRIED:
        right = 0
        parts = ((known.features.words, text / TEXT_WEIGHT), (known.features.descriptors, look / DESCRIPTOR_WEIGHT))
        rows = np.concatenate(
            [
                part * np.float32(weight)
                for part, weight in (*parts, (known.features.bits, template / FINGERPRINT_WEIGHT))
            ],
            axis=1,
        )
        for seen, held in folds(truth, copies):
            model = fit_logistic(rows[seen], truth[seen], count=truth.max() + 1, c=c)
            right += int((model.logits(rows[held]).argmax(axis=1) == truth[held]).sum())
        table.row(f"{text}, {look}, {template}, {c}", right / len(truth))
    right = sum(
        int(
            (
                KNeighborsClassifier(1).fit(known.features.rows[seen], truth[seen]).predict(known.features.rows[held])
                == truth[held]
            ).sum()
        )
        for seen, held in folds(truth, copies)
    )
    table.row("nearest neighbour", right / len(truth))


def with_captions(known: Examples, catalogue: Catalogue, library: Library, encoder: TextEncoder) -> Examples:
    """Return the memes with the words that were drawn on them, a copy with its original's, as their texts."""
    paths = {meme.id: library.originals.get(meme.path, "") for meme in catalogue.memes.everything()}
    texts = [library.captions.get(paths[int(id)], "") for id in known.ids]
    own = known.features
    words = encoder.encode(texts)
    features = combine_features(words, own.descriptors, own.bits, pictures=own.pictures, texts=texts)
    return replace(known, features=features)


def few(known: Examples, copies: Places, names: Names, report: Report, *, most: int = 3) -> None:
    """Print what categories' names add where each category has few examples to learn from."""
    truth = numbered(list(known.categories))
    rng = np.random.default_rng(7)
    table = report.table(f"{most} examples of each category, by words", {"": "", "top-1": ".3f", "of": ",d"})
    for label, given in (("without their names", {}), ("with their names", names)):
        right = asked = 0
        for seen, held in folds(truth, copies):
            some = np.concatenate([rng.permutation(seen[truth[seen] == one])[:most] for one in np.unique(truth[seen])])
            categories = tuple(sorted(set(known.categories)))
            words, _ = fit_linear_models(known.features.of(some), truth[some], categories, given)
            guessed = words.logits(known.features.of(held).words).argmax(axis=1)
            right, asked = right + int((guessed == truth[held]).sum()), asked + len(held)
        table.row(label, right / max(1, asked), asked)


def measure(given: Namespace, report: Report) -> None:
    """Print a table for each way to split."""
    library = library_of(given)
    if given.captions and library.ocr:
        library = replace(library, data=library.root / "data-without-ocr", ocr=False)
    with library.workspace(image_encoder=given.image_encoder) as workspace:
        catalogue, settings = workspace.catalogue, workspace.settings
        image_encoder = live_image_encoder(workspace.index)
        if given.image_encoder and not image_encoder:
            raise Skipped(f"the image encoder {given.image_encoder} cannot be had: `memetica index` says why.")
        known = library_examples(catalogue, encoder=settings.text_encoder, image_encoder=image_encoder)
        fields = (Field.OCR, Field.DESCRIPTION, Field.VISUAL)
        leaking = library_examples(catalogue, encoder=settings.text_encoder, image_encoder=image_encoder, fields=fields)
        categories = sorted(set(known.categories))
        encoder = load_text_encoder(settings)
        names = embed_names(categories, encoder=encoder)
        both = names, embed_picture_names(categories, settings, image_encoder=image_encoder)
        if given.captions:
            known = with_captions(known, catalogue, library, encoder)
        memes = judged(known, catalogue, library)
        told = judged(leaking, catalogue, library).known
    if given.tune:
        tune(*memes.of(~memes.held_out), report)
        return
    own = memes.known
    truth = numbered(list(own.categories))
    count = len(set(own.categories))
    for label, split, groups in (
        ("duplicates kept together", folds(truth, memes.copies), memes.copies),
        ("templates held out entirely", folds(truth, memes.templates), memes.templates),
        ("what came last", [memes.later], memes.copies),
    )[: 2 if given.brief else 3]:
        parts = memes.asked(split)
        asked = sum(len(held) for _, held in parts)
        together = np.concatenate([groups[held] for _, held in parts])
        table = report.table(f"{label}: {asked} of {len(own)} memes, {count} categories", {"method": "", **COLUMNS})
        for name, predictor in PREDICTORS.items():
            if given.brief and predictor not in BRIEF:
                continue
            add_row(table, name, *predicted(own, parts, predictor, *both), count, together)
        if not given.captions:
            add_row(table, "… with the descriptions (leaks)", *predicted(told, parts, whole, *both), count, together)
    if not given.captions:
        few(*memes.of(memes.held_out), names, report)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
