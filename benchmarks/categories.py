"""How often the suggested category is right, and whether what is sure is: majority, neighbours, regression.

    python ../shared/cm50/build_library.py LIBRARY
    memetica --library LIBRARY/memes --data DATA index
    python -m benchmarks.categories LIBRARY DATA [--tune]

Judged by the picture and the words read in it; the last row adds the library's descriptions, whose writers had been
told the category, to show what reading the answer looks like. Weights and looseness were chosen by `--tune` on one half
of the memes, parted by a hash of what each is a copy of; the table is of the other half. Every meme is predicted once,
by models that saw nothing of its group: its duplicates; all memes of its template (the hard case); or, split by time,
all that came later.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.machine import machine
from search.catalogue import Catalogue, open_catalogue
from search.categories.features import LOOKS, TEMPLATE, WORDS, Known, library_traits
from search.categories.model import softmax, sure_of
from search.categories.splits import groups_of
from search.categories.training import (
    LOOSENESS,
    WORDS_LOOSENESS,
    are_kin,
    fit,
    folds,
    linear_models,
    logistic,
    nearest_votes,
)
from search.encoders.registry import load_text_encoder
from search.meme import Field
from search.settings import Settings

LATER = 0.2  # share of the memes, the last seen, that a split by time predicts
BINS = 15
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


def truth_of(library: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the template of each meme, and what it is a copy of, by its path."""
    truth = json.loads((library / "truth.json").read_text("utf-8"))
    if "memes" not in truth:
        rows = {one["path"].removeprefix("memes/"): one["template"] for one in truth.values()}
        return rows, {path: path for path in rows}
    template = {one["path"]: one["template"] for one in truth["memes"]}
    origin = {path: path for path in template}
    waiting = list(truth["duplicates"])
    while waiting:
        left = []
        for one in waiting:
            if one["original"] in template:
                template[one["copy"]], origin[one["copy"]] = template[one["original"]], origin[one["original"]]
            else:
                left.append(one)
        if len(left) == len(waiting):
            break
        waiting = left
    return (
        {path.removeprefix("memes/"): one for path, one in template.items()},
        {path.removeprefix("memes/"): one for path, one in origin.items()},
    )


def numbered(names: list[str]) -> Places:
    """Return a number for each name, the same for the same."""
    return np.unique(names, return_inverse=True)[1]


def calibration_error(probabilities: NDArray[np.float64], truth: Places) -> float:
    """Return the expected calibration error of the likeliest categories, in BINS bins of even width."""
    sureness, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bin_of = np.minimum((sureness * BINS).astype(int), BINS - 1)
    gaps = [
        abs(sureness[bin_of == one].mean() - right[bin_of == one].mean()) * (bin_of == one).mean()
        for one in np.unique(bin_of)
    ]
    return float(np.sum(gaps))


def coverage(probabilities: NDArray[np.float64], truth: Places, *, precision: float = 0.9) -> float:
    """Return the largest share of memes, the surest first, of which so many are right."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[order]
    shares = np.cumsum(right) / np.arange(1, len(right) + 1)
    enough = np.flatnonzero(shares >= precision)
    return float((enough[-1] + 1) / len(right)) if len(enough) else 0.0


@dataclass(frozen=True)
class Task:
    """Memes to learn from, their categories' numbers, memes to predict, and the names of all categories."""

    known: Known
    truth: Places
    asked: Known
    categories: tuple[str, ...]
    names: Names


def majority(task: Task) -> NDArray[np.float64]:
    """Return the categories' shares, for every meme the same."""
    shares = np.bincount(task.truth, minlength=len(task.categories)) / len(task.truth)
    return np.tile(shares, (len(task.asked), 1))


def neighbours(task: Task, *, count: int) -> NDArray[np.float64]:
    """Return the votes of the nearest memes by all traits, the nearer the more."""
    model = KNeighborsClassifier(count, weights="distance").fit(task.known.traits.rows, task.truth)
    found = np.zeros((len(task.asked), len(task.categories)))
    found[:, model.classes_] = model.predict_proba(task.asked.traits.rows)
    return found


def on_words(task: Task) -> NDArray[np.float64]:
    """Return logistic regression on the words in the picture."""
    rows, asked = (one.traits.words for one in (task.known, task.asked))
    model = logistic(rows, task.truth, count=len(task.categories), looseness=WORDS_LOOSENESS)
    return softmax(model.logits(asked))


def on_everything(task: Task) -> NDArray[np.float64]:
    """Return logistic regression on all traits as it comes, not calibrated."""
    rows, asked = (one.traits.rows for one in (task.known, task.asked))
    return softmax(logistic(rows, task.truth, count=len(task.categories), looseness=LOOSENESS).logits(asked))


def whole(task: Task) -> NDArray[np.float64]:
    """Return what Memetica says, fitted and calibrated within what it may see; a last column says what is sure."""
    duplicates, variants = groups_of(task.known)
    model, _ = fit(task.known, names=task.names, duplicates=duplicates, variants=variants)
    kin = are_kin(task.asked.traits, task.known.traits)
    found = np.zeros((len(task.asked), len(task.categories) + 1))
    places = np.searchsorted(np.array(model.categories), np.array(task.known.categories))
    nearest = nearest_votes(task.asked.traits, task.known.traits, places, count=len(model.categories))
    own = model.probabilities(task.asked.traits, kin, nearest)
    found[:, [task.categories.index(one) for one in model.categories]] = own
    found[:, -1] = [sure_of(model, row, kin=bool(near))[0] is not None for row, near in zip(own, kin, strict=True)]
    return found


PREDICTORS: dict[str, Predictor] = {
    "majority": majority,
    "nearest neighbour": partial(neighbours, count=1),
    "5 nearest neighbours": partial(neighbours, count=5),
    "regression on words": on_words,
    "regression on all": on_everything,
    "Memetica: both, calibrated": whole,
}


def predicted(
    known: Known, parts: Iterable[tuple[Places, Places]], predictor: Predictor, names: Names
) -> tuple[NDArray[np.float64], Places]:
    """Return the predictions for all memes that are asked, and the numbers of their categories."""
    categories = tuple(sorted(set(known.categories)))
    truth = np.searchsorted(np.array(categories), np.array(known.categories))
    rows, of = [], []
    for seen, held in parts:
        rows.append(predictor(Task(known.of(seen), truth[seen], known.of(held), categories, names)))
        of.append(truth[held])
    return np.concatenate(rows), np.concatenate(of)


def line(label: str, found: NDArray[np.float64], truth: Places, count: int) -> str:
    """Return a row of the table."""
    sure = found[:, count] > 0 if found.shape[1] > count else None
    found = found[:, :count]
    order = np.argsort(-found, axis=1, kind="stable")
    right = order[:, 0] == truth
    said = ""
    if sure is not None:
        said = f"{sure.mean():9.3f} {right[sure].mean() if sure.any() else float('nan'):9.3f}"
    return (
        f"{label:31} {right.mean():6.3f} {(order[:, :3] == truth[:, None]).any(axis=1).mean():6.3f} "
        f"{f1_score(truth, order[:, 0], average='macro', zero_division=0):6.3f} {calibration_error(found, truth):6.3f} "
        f"{coverage(found, truth):9.3f} {said}"
    )


def parted(known: Known, catalogue: Catalogue, templates: dict[str, str], origins: dict[str, str], *, half: int):  # type: ignore[no-untyped-def]
    """Return a half of the memes, their groups of copies and of templates, and the split by time."""
    memes = {meme.id: meme for meme in catalogue.memes.everything()}
    own = [memes[int(id)] for id in known.ids]
    wanted = [
        at
        for at, meme in enumerate(own)
        if meme.path in origins and zlib.crc32(origins[meme.path].encode()) % 2 == half
    ]
    places = np.array(wanted, np.int64)
    own = [own[at] for at in wanted]
    seen = np.argsort([meme.first_seen.timestamp() for meme in own], kind="stable")
    cut = round(len(own) * (1 - LATER))
    copies, of = (numbered([names[meme.path] for meme in own]) for names in (origins, templates))
    # What came later is not asked about where its original came before: that is the duplicates' business.
    later = np.array([at for at in seen[cut:] if copies[at] not in set(copies[seen[:cut]].tolist())], np.int64)
    return known.of(places), copies, of, [(np.sort(seen[:cut]), np.sort(later))]


def tune(known: Known, copies: Places) -> None:
    """Print what the tried weights give on the half to tune on, with duplicates kept together."""
    truth = numbered(list(known.categories))
    for text, look, template, looseness in TRIED:
        right = 0
        parts = ((known.traits.words, text / WORDS), (known.traits.looks, look / LOOKS))
        rows = np.concatenate(
            [part * np.float32(weight) for part, weight in (*parts, (known.traits.bits, template / TEMPLATE))], axis=1
        )
        for seen, held in folds(truth, copies):
            model = logistic(rows[seen], truth[seen], count=truth.max() + 1, looseness=looseness)
            right += int((model.logits(rows[held]).argmax(axis=1) == truth[held]).sum())
        print(f"words {text}, look {look}, template {template}, C {looseness:5}: top-1 {right / len(truth):.3f}")
    right = sum(
        int(
            (
                KNeighborsClassifier(1).fit(known.traits.rows[seen], truth[seen]).predict(known.traits.rows[held])
                == truth[held]
            ).sum()
        )
        for seen, held in folds(truth, copies)
    )
    print(f"nearest neighbour: top-1 {right / len(truth):.3f}")


def few(known: Known, copies: Places, names: Names, *, most: int = 3) -> None:
    """Print what categories' names add where each category has few examples to learn from."""
    truth = numbered(list(known.categories))
    rng = np.random.default_rng(7)
    for label, given in (("without their names", {}), ("with their names", names)):
        right = asked = 0
        for seen, held in folds(truth, copies):
            some = np.concatenate([rng.permutation(seen[truth[seen] == one])[:most] for one in np.unique(truth[seen])])
            categories = tuple(sorted(set(known.categories)))
            words, _ = linear_models(known.traits.of(some), truth[some], categories, given)
            guessed = words.logits(known.traits.of(held).words).argmax(axis=1)
            right, asked = right + int((guessed == truth[held]).sum()), asked + len(held)
        print(f"{most} examples of each category, by words alone, {label}: top-1 {right / asked:.3f} of {asked}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tune", action="store_true")
    given = parser.parse_args()
    templates, origins = truth_of(given.library)
    settings = Settings(library=given.library / "memes", data=given.data)
    print(machine())
    with open_catalogue(settings, create=False) as catalogue:
        known = library_traits(catalogue, encoder=settings.text_encoder)
        leaking = library_traits(
            catalogue, encoder=settings.text_encoder, fields=(Field.OCR, Field.DESCRIPTION, Field.VISUAL)
        )
        categories = sorted(set(known.categories))
        rows = load_text_encoder(settings).encode([one.replace(" - ", ", ") for one in categories])
        names = dict(zip(categories, rows, strict=True))
        half, copies, of, later = parted(known, catalogue, templates, origins, half=0 if given.tune else 1)
        told = parted(leaking, catalogue, templates, origins, half=0 if given.tune else 1)[0]
    if given.tune:
        tune(half, copies)
        return
    truth = numbered(list(half.categories))
    for label, parts in (
        ("duplicates kept together", list(folds(truth, copies))),
        ("templates held out entirely", list(folds(truth, of))),
        ("what came last", later),
    ):
        print(
            f"\n{label}: {sum(len(held) for _, held in parts)} of {len(half)} memes, {len(set(half.categories))} "
            f"categories, {len(set(of.tolist()))} templates"
        )
        print(f"{'':31} {'top-1':>6} {'top-3':>6} {'F1':>6} {'ECE':>6} {'cover .90':>9} {'sure':>9} {'right':>9}")
        for name, predictor in PREDICTORS.items():
            found, truly = predicted(half, parts, predictor, names)
            print(line(name, found, truly, len(set(half.categories))), flush=True)
        found, truly = predicted(told, parts, whole, names)
        print(line("… with the descriptions (leaks)", found, truly, len(set(half.categories))), flush=True)
    few(half, copies, names)


if __name__ == "__main__":
    main()
