"""Fits the model of categories to a library and finds, on memes held out, how far it can be trusted.

The only home of scikit-learn. Folds keep duplicates together for what is said of memes whose like is known, and all
variants of a template for what is said of strangers: a fold that split them would be asked for what it has seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from search.categories.features import Known, Places, Rows, Traits, traits_of
from search.categories.model import KIN, Kinship, Linear, Mix, Model, Probabilities, Votes, log_shares, mix_of, mixed

PRECISION = 0.9
FOLDS = 4
FEW = 8  # examples below which a category's name speaks too
LOOSENESS = 30.0  # scikit-learn's C of the model on all traits, tuned with the weights of the traits
WORDS_LOOSENESS = 10.0
STEPS = 200  # of the solver, at most
STEPS_MANY = 60  # where there are many memes
STEPS_AGAIN = 8  # when it goes on from what was learnt before
ENOUGH = 20  # predictions, so that a share of them can be called a precision, or a mix be found by them
DOUBT = 0.01  # of the squares of a mix, in its loss
MANY = 200  # predictions, so that a line can be drawn by them alone
MANY_MEMES = 6_000  # from here on time counts: traits are seen along AXES, and strangers are found on so many
AXES = 256  # of traits, along which they vary most
SEED = 7


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for each meme by models that had not seen it: probabilities [n, categories], and kinship [n]."""

    categories: tuple[str, ...]
    probabilities: Probabilities
    kin: NDArray[np.bool_]


def fit(
    known: Known, *, names: Mapping[str, Rows], duplicates: Places, variants: Places, precision: float = PRECISION
) -> tuple[Model, OutOfFold]:
    """Return a model of all that is known and what it says of each meme when that is held out.

    `names` are the embeddings of categories' names ([d]); `duplicates` and `variants` give each meme's group ([n]).
    """
    categories = tuple(sorted(set(known.categories)))
    truth = np.searchsorted(np.array(categories), np.array(known.categories)) if len(known) else np.empty(0, np.int64)
    # The second is about strangers alone: as many as tell what there is to know of them.
    some = np.sort(np.random.default_rng(SEED).permutation(len(known))[:MANY_MEMES])
    held = [
        _held_out(known, truth, categories, names, duplicates),
        _held_out(known.of(some), truth[some], categories, names, variants[some]),
    ]
    sizes = np.bincount(truth, minlength=len(categories))
    parts = {
        Kinship.KIN: _joined([held[0].of(held[0].kin)]),
        Kinship.STRANGER: _joined([one.of(~one.kin) for one in held]),
    }
    mixes: dict[Kinship, Mix] = {}
    guessed: dict[Kinship, tuple[Probabilities, Places]] = {}
    for kinship, (votes, right) in parts.items():
        enough = (votes, right) if len(right) >= ENOUGH else _joined(held)
        mixes[kinship] = fitted_mix(enough[0], sizes, enough[1])
        guessed[kinship] = mix_of(votes, sizes, mixes[kinship]), right
    # A small library has too few of one kind to draw its line by: then by both, whose probabilities mean the same.
    both = tuple(np.concatenate([one[part] for one in guessed.values()]) for part in (0, 1))
    least = {
        kinship: least_probability(*(own if len(own[1]) >= MANY else both), precision=precision)
        for kinship, own in guessed.items()
    }
    words, everything = linear_models(known.traits, truth, categories, names)
    model = Model(categories, sizes, words, everything, mixes, least, precision)
    by = held[0]
    return model, OutOfFold(categories, mixed(by.votes, sizes, by.kin, mixes), by.kin)


def fit_again(model: Model, known: Known, *, names: Mapping[str, Rows]) -> Model:
    """Return a model of what is known now, from one of what was known before: its trust in itself stays as it was.

    Goes on from the weights that were learnt, so that it takes a few steps where `fit` takes hundreds.
    """
    categories = tuple(sorted(set(known.categories)))
    truth = np.searchsorted(np.array(categories), np.array(known.categories))
    words, everything = linear_models(known.traits, truth, categories, names, start=model)
    sizes = np.bincount(truth, minlength=len(categories))
    return Model(categories, sizes, words, everything, model.mixes, model.least, model.precision)


def are_kin(asked: Traits, there: Traits) -> NDArray[np.bool_]:
    """Return of each meme whether any of those there looks like it, [n]."""
    found = np.zeros(len(asked), np.bool_)
    if len(there):
        for start in range(0, len(asked), 1024):
            part = slice(start, start + 1024)
            found[part] = asked.of(part).look_cosines(there).max(axis=1) >= KIN
    return found


def folds(truth: Places, groups: Places, *, count: int = FOLDS) -> Iterator[tuple[Places, Places]]:
    """Yield the places to learn from and those to predict, every meme once; groups are never split."""
    count = min(count, len(np.unique(groups)))
    if count < 2:
        return
    splitter: GroupKFold | StratifiedGroupKFold = GroupKFold(count)
    if np.bincount(truth).max() >= count:
        splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a category has fewer memes than there are folds
        yield from splitter.split(np.zeros((len(truth), 1)), truth, groups)


def logistic(
    rows: Rows,
    truth: Places,
    *,
    count: int,
    looseness: float,
    weights: NDArray[np.float64] | None = None,
    start: Linear | None = None,
) -> Linear:
    """Return logistic regression on rows ([n, D]) for so many categories; those without an example get no weight.

    A category without examples has the least logit that any other has for a row of zeros.
    """
    there = np.unique(truth)
    found = Linear(np.zeros((count, rows.shape[1]), np.float32), np.zeros(count, np.float32))
    if len(there) < 2:
        return found
    steps = STEPS_AGAIN if start is not None else STEPS if len(rows) <= MANY_MEMES else STEPS_MANY
    model = LogisticRegression(C=looseness, max_iter=steps, tol=1e-3)
    if start is not None and len(there) > 2:
        model.set_params(warm_start=True)
        model.classes_, model.coef_ = there, start.weights[there].copy()
        model.intercept_ = start.bias[there].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # that it could still get better: it stops on purpose
        model.fit(rows, truth, sample_weight=weights)
    # scikit-learn has one row for two categories: the second's against the first's.
    coefficients = model.coef_ if len(there) > 2 else np.concatenate([-model.coef_, model.coef_]) / 2
    intercepts = model.intercept_ if len(there) > 2 else np.concatenate([-model.intercept_, model.intercept_]) / 2
    found.weights[there] = coefficients
    found.bias[:] = intercepts.min()
    found.bias[there] = intercepts
    return found


def fitted_mix(votes: Votes, sizes: NDArray[np.int64], truth: Places) -> Mix:
    """Return the mix under which the truth is likeliest: a temperature for each vote (Guo et al., 2017).

    With nothing to learn it from, the sizes alone speak.
    """
    if not len(truth):
        return Mix(0.0, 0.0, 0.0, 1.0)
    every = np.arange(len(truth))
    prior = np.broadcast_to(log_shares(sizes), votes.words.shape)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        guessed = mix_of(votes, sizes, Mix(*parameters))
        wrong = guessed.copy()
        wrong[every, truth] -= 1
        slope = np.array([(wrong * one).sum() for one in (votes.words, votes.everything, votes.nearest, prior)])
        # A pinch of doubt, so that a library in which every prediction is right does not end in certainty.
        value = -np.log(np.maximum(guessed[every, truth], 1e-12)).sum() + DOUBT * float(parameters @ parameters)
        return float(value), slope + 2 * DOUBT * parameters

    found = minimize(loss, np.array([0.3, 0.3, 0.3, 0.5]), jac=True, bounds=[(0, 50)] * 4, method="L-BFGS-B").x
    return Mix(*(float(one) for one in found))


def least_probability(guessed: Probabilities, truth: Places, *, precision: float) -> float | None:
    """Return the probability from which the likeliest category is right at least so often; None where it never is."""
    if not len(truth):
        return None
    sureness = guessed.max(axis=1)
    right = guessed.argmax(axis=1) == truth
    order = np.argsort(-sureness, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Only where the probability falls can a line be drawn.
    ends = np.append(sureness[order][1:] < sureness[order][:-1], True)
    enough = np.flatnonzero((shares >= precision) & ends & (np.arange(1, len(order) + 1) >= ENOUGH))
    return float(sureness[order][enough[-1]]) if len(enough) else None


def nearest_votes(asked: Traits, there: Traits, truth: Places, *, count: int) -> NDArray[np.float64]:
    """Return the largest cosine of each meme with any of each category's, [n, count]; 0 where it has none."""
    order = np.argsort(truth, kind="stable")
    present, starts = np.unique(truth[order], return_index=True)
    rows = there.rows[order]
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
    found = np.zeros((len(asked), count))
    for start in range(0, len(asked) if len(there) else 0, 512):
        block = asked.rows[start : start + 512]
        cosines = block @ rows.T / lengths / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-9)
        found[start : start + 512, present] = np.maximum(np.maximum.reduceat(cosines, starts, axis=1), 0)
    return found


@dataclass(frozen=True)
class _Held:
    votes: Votes
    truth: Places
    kin: NDArray[np.bool_]

    def of(self, those: NDArray[np.bool_]) -> _Held:
        return _Held(self.votes.of(those), self.truth[those], self.kin[those])


def _joined(held: Sequence[_Held]) -> tuple[Votes, Places]:
    kinds = ("words", "everything", "nearest")
    votes = Votes(*(np.concatenate([getattr(one.votes, kind) for one in held]) for kind in kinds))
    return votes, np.concatenate([one.truth for one in held])


def _held_out(
    known: Known, truth: Places, categories: tuple[str, ...], names: Mapping[str, Rows], groups: Places
) -> _Held:
    """Return the votes on each meme by models and memes that are not of its group."""
    words, everything, nearest = (np.zeros((len(known), len(categories))) for _ in range(3))
    kin = np.zeros(len(known), np.bool_)
    for seen, held in folds(truth, groups):
        there, asked = known.traits.of(seen), known.traits.of(held)
        one, other = linear_models(there, truth[seen], categories, names)
        words[held], everything[held] = one.logits(asked.words), other.logits(asked.rows)
        nearest[held] = nearest_votes(asked, there, truth[seen], count=len(categories))
        kin[held] = are_kin(asked, there)
    return _Held(Votes(words, everything, nearest), truth, kin)


def linear_models(
    traits: Traits,
    truth: Places,
    categories: tuple[str, ...],
    names: Mapping[str, Rows],
    *,
    start: Model | None = None,
) -> tuple[Linear, Linear]:
    """Return the model on the words and the one on all traits, with the names of small categories as examples."""
    added, of, weights = _named(traits, truth, categories, names)
    examples = np.concatenate([truth, of])
    counts = np.concatenate([np.ones(len(traits)), weights]) if len(of) else None
    rows = np.concatenate([traits.rows, added.rows]) if len(of) else traits.rows
    before: list[Linear | None] = [None, None]
    if start is not None:
        before = [_moved(one, start.categories, categories) for one in (start.words, start.everything)]
    fitted = partial(logistic, truth=examples, count=len(categories), weights=counts)
    words = fitted(rows[:, : traits.dimensions], looseness=WORDS_LOOSENESS, start=before[0])
    axes = principal_axes(traits.rows) if before[1] is None else before[1].axes
    seen = rows if axes is None else rows @ axes.T
    everything = fitted(seen, looseness=LOOSENESS, start=before[1])
    return words, replace(everything, axes=axes)


def principal_axes(rows: Rows, *, count: int = AXES) -> Rows | None:
    """Return the axes ([count, W]) along which rows vary most, found on some; None where there are few rows.

    They go through the origin, as cosines do: what is not there stays zero.
    """
    if len(rows) <= MANY_MEMES:
        return None
    sample = rows[np.random.default_rng(SEED).permutation(len(rows))[:MANY_MEMES]]
    _, vectors = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    axes: Rows = np.ascontiguousarray(vectors[:, ::-1][:, :count].T.astype(np.float32))
    return axes


def _moved(linear: Linear, before: Sequence[str], after: Sequence[str]) -> Linear:
    """Return a linear model with its categories in another order; new ones have no weight yet."""
    place = {category: at for at, category in enumerate(before)}
    weights = np.zeros((len(after), linear.weights.shape[1]), np.float32)
    found = Linear(weights, np.zeros(len(after), np.float32), linear.axes)
    for at, category in enumerate(after):
        if category in place:
            found.weights[at], found.bias[at] = linear.weights[place[category]], linear.bias[place[category]]
    return found


def _named(
    traits: Traits, truth: Places, categories: tuple[str, ...], names: Mapping[str, Rows]
) -> tuple[Traits, Places, NDArray[np.float64]]:
    """Return the names of categories with few examples as if they were words in pictures, and what each counts."""
    sizes = np.bincount(truth, minlength=len(categories))
    small = [at for at, category in enumerate(categories) if sizes[at] < FEW and category in names]
    words = np.array([names[categories[at]] for at in small], np.float32).reshape(len(small), traits.dimensions)
    looks = np.zeros((len(small), traits.looks.shape[1]), np.float32)
    bits = np.zeros((len(small), traits.bits.shape[1]), np.float32)
    return (
        traits_of(words, looks, bits),
        np.array(small, np.int64),
        np.array([(FEW - sizes[at]) / FEW for at in small]),
    )
