"""Fit the linear models of a category model: one for each source of scores.

Logistic regressions by scikit-learn, and for characters a linear support vector machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from search.categories.characters import CharacterModel
from search.categories.features import Features, Places, Rows, combine_features
from search.categories.linear import LinearModel
from search.categories.model import CategoryModel, Models, top_of

FEW = 8  # examples: a category with fewer is also trained on its name
FEATURES_C = 30.0  # C (inverse regularization) of the model on all features, tuned with the weights of the features
WORDS_C = 10.0  # C of the model on text
CHARACTERS_C = 0.5  # C of the model on characters
PICTURES_C = 1.0  # C on pictures' rows, centred and scaled to a mean length of 1; of .1 to 10 on real_memes, seed 15
STEPS = 200  # solver iterations, at most
STEPS_MANY = 60  # the same for more than MANY_MEMES memes
STEPS_AGAIN = 8  # the same when the solver starts from trained weights
MANY_MEMES = 6_000  # above it, features are projected on AXES
MANY_ROWS = 3_000  # above it, pictures and characters are: they have thousands of numbers
AXES = 256  # principal axes
LEAST_SPREAD = 1e-6  # standard deviation of pictures' products with a name: below it, the name tells nothing apart
SEED = 7


@dataclass(frozen=True)
class Axes:
    """The principal axes ([AXES, width]) of many memes' features, of their pictures and of their texts' characters.

    None where the memes are too few to need them. They know no category, so that all folds share those of all memes.
    """

    all_features: Rows | None = None
    pictures: Rows | None = None
    characters: Rows | None = None


def find_axes(features: Features, rows: csr_array) -> Axes:
    """Return the axes of memes; `rows` are those of their texts' characters."""
    seen = features.pictures[features.pictures.any(axis=1)]
    return Axes(
        principal_axes(features.rows),
        principal_axes(seen - seen.mean(axis=0), most=MANY_ROWS) if len(seen) > MANY_ROWS else None,
        character_axes(rows),
    )


def fit_models(
    features: Features,
    truth: Places,
    *,
    categories: tuple[str, ...],
    names: Mapping[str, Rows],
    picture_names: Mapping[str, Rows],
    characters: CharacterModel,
    rows: csr_array,
    axes: Axes,
) -> Models:
    """Return the models of all sources; `characters` knows the sequences of characters, and `rows` are of the texts.

    `names` and `picture_names` are the rows of categories' names by the text encoder and by the image encoder.
    """
    words, all_features = fit_linear_models(features, truth, categories, names, axes=axes.all_features)
    return Models(
        words,
        all_features,
        fit_character_model(characters, rows, truth, count=len(categories), axes=axes.characters),
        fit_pictures(features.pictures, truth, count=len(categories), axes=axes.pictures),
        fit_parents(features.pictures, truth, categories, axes=axes.pictures),
        fit_names(features.pictures, picture_names, categories),
    )


def refit_models(
    model: CategoryModel, features: Features, truth: Places, categories: tuple[str, ...], names: Mapping[str, Rows]
) -> Models:
    """Return models trained on changed examples, from those of a trained model.

    Characters and names are not learned again: a new category gets the mean weights of the others there, which say
    nothing.
    """
    words, all_features = fit_linear_models(features, truth, categories, names, start=model)
    old = model.models.characters
    weights, bias = _with_new_rows(old.weights, old.bias, model.categories, categories)
    linear = [
        LinearModel(*_with_new_rows(one.weights, one.bias, model.categories, categories))
        for one in (model.models.pictures, model.models.parents, model.models.named)
    ]
    return Models(words, all_features, replace(old, weights=weights, bias=bias), *linear)


def fit_linear_models(
    features: Features,
    truth: Places,
    categories: tuple[str, ...],
    names: Mapping[str, Rows],
    *,
    axes: Rows | None = None,
    start: CategoryModel | None = None,
) -> tuple[LinearModel, LinearModel]:
    """Return the model on text and the model on all features; names of small categories are added as examples.

    The model on all features sees their projections on `axes`, or on those of the model to start from.
    """
    added, of, weights = _name_examples(features, truth, categories, names)
    examples = np.concatenate([truth, of])
    counts = np.concatenate([np.ones(len(features)), weights]) if len(of) else None
    rows = np.concatenate([features.rows, added.rows]) if len(of) else features.rows
    before: list[LinearModel | None] = [None, None]
    if start is not None:
        before = [
            _reordered(linear, start.categories, categories)
            for linear in (start.models.words, start.models.all_features)
        ]
    fitted = partial(fit_logistic, truth=examples, count=len(categories), weights=counts)
    words = fitted(rows[:, : features.dimensions], c=WORDS_C, start=before[0])
    axes = axes if before[1] is None else before[1].axes
    seen = rows if axes is None else rows @ axes.T
    all_features = fitted(seen, c=FEATURES_C, start=before[1])
    return words, replace(all_features, axes=axes)


def character_axes(rows: csr_array) -> Rows | None:
    """Return the principal axes of texts' characters ([n, m]), from a sample; None for MANY_ROWS texts or fewer."""
    if rows.shape[0] <= MANY_ROWS or rows.shape[1] < 2:
        return None
    sample = rows[np.random.default_rng(SEED).permutation(rows.shape[0])[:MANY_ROWS]]
    found: Rows = TruncatedSVD(min(AXES, rows.shape[1] - 1), n_iter=2, random_state=SEED).fit(sample).components_
    return found


def fit_character_model(
    known: CharacterModel, rows: csr_array, truth: Places, *, count: int, axes: Rows | None = None
) -> CharacterModel:
    """Return a model of the characters of texts, given their rows; with `axes`, on their projections."""
    if not known.vocabulary or len(np.unique(truth)) < 2:
        zeros = np.zeros((count, len(known.vocabulary)), np.float32)
        return replace(known, weights=zeros, bias=np.zeros(count, np.float32))
    if axes is not None:
        fitted = fit_logistic((rows @ axes.T).astype(np.float32), truth, count=count, c=WORDS_C)
        return replace(known, weights=(fitted.weights @ axes).astype(np.float32), bias=fitted.bias)
    # Margins instead of log-odds: as right, and learnt in a quarter of the time. The mix gives them their scale.
    empty = LinearModel(np.zeros((count, rows.shape[1]), np.float32), np.zeros(count, np.float32))
    machine = LinearSVC(C=CHARACTERS_C, random_state=SEED).fit(csr_matrix(rows), truth)
    fitted = _fill(empty, machine, np.unique(truth))
    return replace(known, weights=fitted.weights, bias=fitted.bias)


def fit_pictures(pictures: Rows, truth: Places, *, count: int, axes: Rows | None = None) -> LinearModel:
    """Return a model of pictures' rows ([n, p]), from the pictures that have one; with `axes`, of their projections.

    It is fitted to rows without their mean, which all pictures by an encoder share; its weights are for rows with it.
    """
    seen = pictures.any(axis=1)
    if len(np.unique(truth[seen])) < 2:
        return LinearModel(np.zeros((count, pictures.shape[1]), np.float32), np.zeros(count, np.float32))
    mean = pictures[seen].mean(axis=0)
    centered = pictures[seen] - mean
    scale = np.float32(1 / max(1e-6, float(np.linalg.norm(centered, axis=1).mean())))
    rows = centered * scale if axes is None else centered @ axes.T * scale
    fitted = fit_logistic(rows, truth[seen], count=count, c=PICTURES_C)
    weights = (fitted.weights if axes is None else fitted.weights @ axes) * scale
    return LinearModel(weights, fitted.bias - weights @ mean)


def fit_parents(pictures: Rows, truth: Places, categories: tuple[str, ...], *, axes: Rows | None = None) -> LinearModel:
    """Return a model of pictures for the top categories of the hierarchy, with a row for each category in them.

    Zeros where no category has a subcategory: then there is no hierarchy.
    """
    tops, of = np.unique([top_of(category) for category in categories], return_inverse=True)
    if len(tops) in (0, 1, len(categories)):
        return LinearModel(
            np.zeros((len(categories), pictures.shape[1]), np.float32), np.zeros(len(categories), np.float32)
        )
    fitted = fit_pictures(pictures, of[truth], count=len(tops), axes=axes)
    return LinearModel(fitted.weights[of], fitted.bias[of])


def fit_names(pictures: Rows, names: Mapping[str, Rows], categories: Sequence[str]) -> LinearModel:
    """Return how much nearer a picture is to each category's name than these pictures ([n, p]) are.

    `names` are rows ([p]) by the encoder of the pictures. The logit is the product's distance from the pictures' mean
    in standard deviations: some names are near to every picture. A category without a row has a logit of 0.
    """
    found = LinearModel(
        np.zeros((len(categories), pictures.shape[1]), np.float32), np.zeros(len(categories), np.float32)
    )
    seen = pictures[pictures.any(axis=1)]
    known = [at for at, category in enumerate(categories) if category in names]
    if not known or len(seen) < 2:
        return found
    rows = np.array([names[categories[at]] for at in known], np.float32)
    products = seen @ rows.T
    spread = products.std(axis=0)
    scale = np.where(spread > LEAST_SPREAD, 1 / np.maximum(spread, LEAST_SPREAD), 0).astype(np.float32)
    found.weights[known] = rows * scale[:, None]
    found.bias[known] = -products.mean(axis=0) * scale
    return found


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
    return _fill(found, model, present)


def _fill(found: LinearModel, model: LogisticRegression | LinearSVC, present: Places) -> LinearModel:
    """Return `found` with the weights of a fitted model for the categories that are present."""
    # For two categories scikit-learn returns one row: the logit of the second against the first.
    coefficients = model.coef_ if len(present) > 2 else np.concatenate([-model.coef_, model.coef_]) / 2
    intercepts = model.intercept_ if len(present) > 2 else np.concatenate([-model.intercept_, model.intercept_]) / 2
    found.weights[present] = coefficients
    found.bias[:] = intercepts.min()
    found.bias[present] = intercepts
    return found


def principal_axes(rows: Rows, *, count: int = AXES, most: int = MANY_MEMES) -> Rows | None:
    """Return the axes ([count, W]) along which rows vary most, from a sample; None for `most` rows or fewer.

    The rows are not centered: so cosines stay meaningful and missing parts stay zero.
    """
    if len(rows) <= most:
        return None
    sample = rows[np.random.default_rng(SEED).permutation(len(rows))[:most]]
    _, vectors = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    axes: Rows = np.ascontiguousarray(vectors[:, ::-1][:, :count].T.astype(np.float32))
    return axes


def _with_new_rows(
    weights: Rows, bias: NDArray[np.float32], before: Sequence[str], after: Sequence[str]
) -> tuple[Rows, NDArray[np.float32]]:
    """Return weights and bias with categories in another order; new categories get the mean of the others."""
    if not len(before):
        return np.zeros((len(after), weights.shape[1]), np.float32), np.zeros(len(after), np.float32)
    place = {category: at for at, category in enumerate(before)}
    mean = weights.mean(axis=0)
    rows = np.stack([weights[place[one]] if one in place else mean for one in after]) if len(after) else weights[:0]
    shifts = [bias[place[one]] if one in place else bias.mean() for one in after]
    return rows.astype(np.float32), np.array(shifts, np.float32)


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
