"""Train the category model, and measure its precision on held-out memes.

The only module that uses scikit-learn for training. Folds keep duplicates together to predict memes with a known
template, and all variants of a template together to predict memes with an unknown one: otherwise a model would be
tested on what it was trained on.
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

from search.categories.features import Examples, Features, Places, Rows, combine_features
from search.categories.model import (
    KNOWN_TEMPLATE_COSINE,
    CategoryModel,
    ClassScores,
    LinearModel,
    MixWeights,
    Probabilities,
    Template,
    combined_probabilities,
    log_priors,
    mix_probabilities,
)

PRECISION = 0.9
FOLDS = 4
FEW = 8  # examples: a category with fewer is also trained on its name
FEATURES_C = 30.0  # C (inverse regularization) of the model on all features, tuned with the weights of the features
WORDS_C = 10.0  # C of the model on text
STEPS = 200  # solver iterations, at most
STEPS_MANY = 60  # the same for more than MANY_MEMES memes
STEPS_AGAIN = 8  # the same when the solver starts from trained weights
ENOUGH = 20  # least predictions to measure a precision or fit mix weights
DOUBT = 0.01  # L2 penalty of the mix weights
MANY = 200  # least predictions of one template kind to set its threshold from them alone
MANY_MEMES = 6_000  # above it, features are projected on AXES, and templates are held out on a sample of this size
AXES = 256  # principal axes
SEED = 7


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for each meme by models trained without it.

    `probabilities` is [n, categories]; `known_template` ([n]) says whether the training part had its template.
    """

    categories: tuple[str, ...]
    probabilities: Probabilities
    known_template: NDArray[np.bool_]


def fit(
    examples: Examples, *, names: Mapping[str, Rows], duplicates: Places, variants: Places, precision: float = PRECISION
) -> tuple[CategoryModel, OutOfFold]:
    """Return a model trained on all examples, and its held-out predictions for each.

    `names` are the embeddings of categories' names ([d]); `duplicates` and `variants` ([n]) are each meme's groups.

    >>> from search.categories.features import library_examples
    >>> examples = library_examples(workspace.catalogue, encoder=encoder.name)
    >>> each = np.arange(len(examples))
    >>> model, held_out = fit(examples, names={}, duplicates=each, variants=each)
    >>> held_out.probabilities.shape == (len(examples), len(model.categories))
    True
    """
    categories = tuple(sorted(set(examples.categories)))
    truth = (
        np.searchsorted(np.array(categories), np.array(examples.categories)) if len(examples) else np.empty(0, np.int64)
    )
    # The second pass holds out whole templates, on a sample: it serves only the mix weights of unknown templates.
    sample = np.sort(np.random.default_rng(SEED).permutation(len(examples))[:MANY_MEMES])
    held_out = [
        _held_out(examples, truth, categories, names, duplicates),
        _held_out(examples.of(sample), truth[sample], categories, names, variants[sample]),
    ]
    sizes = np.bincount(truth, minlength=len(categories))
    parts = {
        Template.KNOWN: _joined([held_out[0].of(held_out[0].known_template)]),
        Template.UNKNOWN: _joined([scores.of(~scores.known_template) for scores in held_out]),
    }
    mix_weights: dict[Template, MixWeights] = {}
    predicted: dict[Template, tuple[Probabilities, Places]] = {}
    for template, (scores, right) in parts.items():
        enough = (scores, right) if len(right) >= ENOUGH else _joined(held_out)
        mix_weights[template] = fit_mix_weights(enough[0], sizes, enough[1])
        predicted[template] = mix_probabilities(scores, sizes, mix_weights[template]), right
    # With too few predictions of one kind for a threshold, use both kinds: their probabilities are comparable.
    both = tuple(np.concatenate([pair[part] for pair in predicted.values()]) for part in (0, 1))
    thresholds = {
        template: precision_threshold(*(pair if len(pair[1]) >= MANY else both), precision=precision)
        for template, pair in predicted.items()
    }
    words, all_features = fit_linear_models(examples.features, truth, categories, names)
    model = CategoryModel(categories, sizes, words, all_features, mix_weights, thresholds, precision)
    known = held_out[0]
    return model, OutOfFold(
        categories, combined_probabilities(known.scores, sizes, known.known_template, mix_weights), known.known_template
    )


def refit(model: CategoryModel, examples: Examples, *, names: Mapping[str, Rows]) -> CategoryModel:
    """Return a model trained on changed examples, with the mix weights and thresholds of a trained model.

    It starts from the trained model's weights and needs a few steps, where `fit` needs hundreds. `names` are as in
    `fit`.

    >>> from search.categories.features import library_examples
    >>> examples = library_examples(workspace.catalogue, encoder=encoder.name)
    >>> each = np.arange(len(examples))
    >>> model, _ = fit(examples, names={}, duplicates=each, variants=each)
    >>> refit(model, examples, names={}).categories == model.categories
    True
    """
    categories = tuple(sorted(set(examples.categories)))
    truth = np.searchsorted(np.array(categories), np.array(examples.categories))
    words, all_features = fit_linear_models(examples.features, truth, categories, names, start=model)
    sizes = np.bincount(truth, minlength=len(categories))
    return CategoryModel(categories, sizes, words, all_features, model.mix_weights, model.thresholds, model.precision)


def has_known_template(queries: Features, known: Features) -> NDArray[np.bool_]:
    """Return for each query whether one of the known memes has a similar visual descriptor, [n]."""
    found = np.zeros(len(queries), np.bool_)
    if len(known):
        for start in range(0, len(queries), 1024):
            part = slice(start, start + 1024)
            found[part] = queries.of(part).descriptor_cosines(known).max(axis=1) >= KNOWN_TEMPLATE_COSINE
    return found


def folds(truth: Places, groups: Places, *, count: int = FOLDS) -> Iterator[tuple[Places, Places]]:
    """Yield the positions to train on and those to predict; each meme is predicted once, and groups are never split."""
    count = min(count, len(np.unique(groups)))
    if count < 2:
        return
    splitter: GroupKFold | StratifiedGroupKFold = GroupKFold(count)
    if np.bincount(truth).max() >= count:
        splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn warns about categories with fewer memes than folds
        yield from splitter.split(np.zeros((len(truth), 1)), truth, groups)


def fit_logistic(
    rows: Rows,
    truth: Places,
    *,
    count: int,
    c: float,
    weights: NDArray[np.float64] | None = None,
    start: LinearModel | None = None,
) -> LinearModel:
    """Return a logistic regression on rows ([n, D]) for `count` categories; those without examples get zero weights.

    `c` is the inverse of the regularization strength. A category without examples gets the smallest bias of the others.
    """
    present = np.unique(truth)
    found = LinearModel(np.zeros((count, rows.shape[1]), np.float32), np.zeros(count, np.float32))
    if len(present) < 2:
        return found
    steps = STEPS_AGAIN if start is not None else STEPS if len(rows) <= MANY_MEMES else STEPS_MANY
    model = LogisticRegression(C=c, max_iter=steps, tol=1e-3)
    if start is not None and len(present) > 2:
        model.set_params(warm_start=True)
        model.classes_, model.coef_ = present, start.weights[present].copy()
        model.intercept_ = start.bias[present].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few iterations on purpose
        model.fit(rows, truth, sample_weight=weights)
    # For two categories scikit-learn returns one row: the logit of the second against the first.
    coefficients = model.coef_ if len(present) > 2 else np.concatenate([-model.coef_, model.coef_]) / 2
    intercepts = model.intercept_ if len(present) > 2 else np.concatenate([-model.intercept_, model.intercept_]) / 2
    found.weights[present] = coefficients
    found.bias[:] = intercepts.min()
    found.bias[present] = intercepts
    return found


def fit_mix_weights(scores: ClassScores, sizes: NDArray[np.int64], truth: Places) -> MixWeights:
    """Return the weights that maximize the likelihood of the truth: a temperature for each score (Guo et al., 2017).

    Without data, only the categories' sizes have a weight.
    """
    if not len(truth):
        return MixWeights(0.0, 0.0, 0.0, 1.0)
    every = np.arange(len(truth))
    prior = np.broadcast_to(log_priors(sizes), scores.words.shape)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        predicted = mix_probabilities(scores, sizes, MixWeights(*parameters))
        residuals = predicted.copy()
        residuals[every, truth] -= 1
        slope = np.array(
            [(residuals * score).sum() for score in (scores.words, scores.all_features, scores.nearest, prior)]
        )
        # The penalty keeps the weights finite when all predictions are right.
        value = -np.log(np.maximum(predicted[every, truth], 1e-12)).sum() + DOUBT * float(parameters @ parameters)
        return float(value), slope + 2 * DOUBT * parameters

    found = minimize(loss, np.array([0.3, 0.3, 0.3, 0.5]), jac=True, bounds=[(0, 50)] * 4, method="L-BFGS-B").x
    return MixWeights(*(float(weight) for weight in found))


def precision_threshold(predicted: Probabilities, truth: Places, *, precision: float) -> float | None:
    """Return the lowest probability above which the most likely category has this precision, or None."""
    if not len(truth):
        return None
    confidence = predicted.max(axis=1)
    right = predicted.argmax(axis=1) == truth
    order = np.argsort(-confidence, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # A threshold must lie between two different probabilities.
    ends = np.append(confidence[order][1:] < confidence[order][:-1], True)
    enough = np.flatnonzero((shares >= precision) & ends & (np.arange(1, len(order) + 1) >= ENOUGH))
    return float(confidence[order][enough[-1]]) if len(enough) else None


def nearest_cosines(queries: Features, known: Features, truth: Places, *, count: int) -> NDArray[np.float64]:
    """Return each query's largest cosine with each category's memes, [n, count]; 0 for a category without memes."""
    order = np.argsort(truth, kind="stable")
    present, starts = np.unique(truth[order], return_index=True)
    rows = known.rows[order]
    lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
    found = np.zeros((len(queries), count))
    for start in range(0, len(queries) if len(known) else 0, 512):
        block = queries.rows[start : start + 512]
        cosines = block @ rows.T / lengths / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-9)
        found[start : start + 512, present] = np.maximum(np.maximum.reduceat(cosines, starts, axis=1), 0)
    return found


@dataclass(frozen=True)
class _HeldOutScores:
    scores: ClassScores
    truth: Places
    known_template: NDArray[np.bool_]

    def of(self, chosen: NDArray[np.bool_]) -> _HeldOutScores:
        return _HeldOutScores(self.scores.of(chosen), self.truth[chosen], self.known_template[chosen])


def _joined(held: Sequence[_HeldOutScores]) -> tuple[ClassScores, Places]:
    kinds = ("words", "all_features", "nearest")
    scores = ClassScores(*(np.concatenate([getattr(part.scores, kind) for part in held]) for kind in kinds))
    return scores, np.concatenate([part.truth for part in held])


def _held_out(
    examples: Examples, truth: Places, categories: tuple[str, ...], names: Mapping[str, Rows], groups: Places
) -> _HeldOutScores:
    """Return the scores of each meme by models trained without its group, and by memes outside of it."""
    words, all_features, nearest = (np.zeros((len(examples), len(categories))) for _ in range(3))
    known_template = np.zeros(len(examples), np.bool_)
    for train, test in folds(truth, groups):
        trained, queries = examples.features.of(train), examples.features.of(test)
        on_words, on_all = fit_linear_models(trained, truth[train], categories, names)
        words[test], all_features[test] = on_words.logits(queries.words), on_all.logits(queries.rows)
        nearest[test] = nearest_cosines(queries, trained, truth[train], count=len(categories))
        known_template[test] = has_known_template(queries, trained)
    return _HeldOutScores(ClassScores(words, all_features, nearest), truth, known_template)


def fit_linear_models(
    features: Features,
    truth: Places,
    categories: tuple[str, ...],
    names: Mapping[str, Rows],
    *,
    start: CategoryModel | None = None,
) -> tuple[LinearModel, LinearModel]:
    """Return the model on text and the model on all features; names of small categories are added as examples."""
    added, of, weights = _name_examples(features, truth, categories, names)
    examples = np.concatenate([truth, of])
    counts = np.concatenate([np.ones(len(features)), weights]) if len(of) else None
    rows = np.concatenate([features.rows, added.rows]) if len(of) else features.rows
    before: list[LinearModel | None] = [None, None]
    if start is not None:
        before = [_reordered(linear, start.categories, categories) for linear in (start.words, start.all_features)]
    fitted = partial(fit_logistic, truth=examples, count=len(categories), weights=counts)
    words = fitted(rows[:, : features.dimensions], c=WORDS_C, start=before[0])
    axes = principal_axes(features.rows) if before[1] is None else before[1].axes
    seen = rows if axes is None else rows @ axes.T
    all_features = fitted(seen, c=FEATURES_C, start=before[1])
    return words, replace(all_features, axes=axes)


def principal_axes(rows: Rows, *, count: int = AXES) -> Rows | None:
    """Return the axes ([count, W]) along which rows vary most, from a sample; None for MANY_MEMES rows or fewer.

    The rows are not centered: so cosines stay meaningful and missing parts stay zero.
    """
    if len(rows) <= MANY_MEMES:
        return None
    sample = rows[np.random.default_rng(SEED).permutation(len(rows))[:MANY_MEMES]]
    _, vectors = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    axes: Rows = np.ascontiguousarray(vectors[:, ::-1][:, :count].T.astype(np.float32))
    return axes


def _reordered(linear: LinearModel, before: Sequence[str], after: Sequence[str]) -> LinearModel:
    """Return a linear model with its categories in another order; new categories get zero weights."""
    place = {category: at for at, category in enumerate(before)}
    weights = np.zeros((len(after), linear.weights.shape[1]), np.float32)
    found = LinearModel(weights, np.zeros(len(after), np.float32), linear.axes)
    for at, category in enumerate(after):
        if category in place:
            found.weights[at], found.bias[at] = linear.weights[place[category]], linear.bias[place[category]]
    return found


def _name_examples(
    features: Features, truth: Places, categories: tuple[str, ...], names: Mapping[str, Rows]
) -> tuple[Features, Places, NDArray[np.float64]]:
    """Return name features of categories with few examples, those categories' positions, and the example weights."""
    sizes = np.bincount(truth, minlength=len(categories))
    small = [at for at, category in enumerate(categories) if sizes[at] < FEW and category in names]
    words = np.array([names[categories[at]] for at in small], np.float32).reshape(len(small), features.dimensions)
    descriptors = np.zeros((len(small), features.descriptors.shape[1]), np.float32)
    bits = np.zeros((len(small), features.bits.shape[1]), np.float32)
    return (
        combine_features(words, descriptors, bits),
        np.array(small, np.int64),
        np.array([(FEW - sizes[at]) / FEW for at in small]),
    )
