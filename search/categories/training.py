"""Train the category model, and measure its precision on held-out memes.

The only module that uses scikit-learn for training. Folds keep duplicates together to predict memes with a known
template, and all variants of a template together to predict memes with an unknown one: otherwise a model would be
tested on what it was trained on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.stats import beta
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from search.categories.characters import fit_characters
from search.categories.density import PictureDensity, nearest_pictures
from search.categories.features import Examples, Features, Places, Rows
from search.categories.fitting import MANY_MEMES, SEED, find_axes, fit_models, refit_models
from search.categories.model import (
    KNOWN_PICTURE_COSINE,
    KNOWN_TEMPLATE_COSINE,
    SCORE_KINDS,
    CategoryModel,
    ClassScores,
    MixWeights,
    Models,
    Probabilities,
    Template,
    combined_probabilities,
    log_priors,
    mix_probabilities,
    softmax,
)
from search.categories.splits import join_near_pictures

PRECISION = 0.9
FOLDS = 4
ENOUGH = 20  # least predictions to measure a precision or fit mix weights
START = {"sizes": 0.5}  # of the search for the mix weights; .3 for the others
# Of the libraries of linear algebra. Their threads wait in loops: beside other work, two took four times the processor
# time of one, and longer.
THREADS = 1
DOUBT = 0.01  # L2 penalty of the mix weights
DOUBTFUL = 0.1  # chance that a threshold does not have the precision that it was chosen for
MANY = 200  # least predictions of one template kind to set its threshold from them alone


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for each meme by models trained without it.

    `probabilities` is [n, categories]; `known_template` ([n]) says whether the training part had its template.
    """

    categories: tuple[str, ...]
    probabilities: Probabilities
    known_template: NDArray[np.bool_]


def fit(
    examples: Examples,
    *,
    names: Mapping[str, Rows],
    duplicates: Places,
    variants: Places,
    picture_names: Mapping[str, Rows] = MappingProxyType({}),
    precision: float = PRECISION,
) -> tuple[CategoryModel, OutOfFold]:
    """Return a model trained on all examples, and its held-out predictions for each.

    `names` are the embeddings of categories' names ([d]), `picture_names` the same by the encoder of the pictures
    ([p]); `duplicates` and `variants` ([n]) are each meme's groups.

    >>> from search.categories.features import library_examples
    >>> examples = library_examples(workspace.catalogue, encoder=encoder.name)
    >>> each = np.arange(len(examples))
    >>> model, held_out = fit(examples, names={}, duplicates=each, variants=each)
    >>> held_out.probabilities.shape == (len(examples), len(model.categories))
    True
    """
    with threadpool_limits(THREADS):
        return _fit(
            examples,
            names=names,
            picture_names=picture_names,
            duplicates=duplicates,
            variants=variants,
            precision=precision,
        )


def _fit(
    examples: Examples,
    *,
    names: Mapping[str, Rows],
    picture_names: Mapping[str, Rows],
    duplicates: Places,
    variants: Places,
    precision: float,
) -> tuple[CategoryModel, OutOfFold]:
    categories = tuple(sorted(set(examples.categories)))
    truth = (
        np.searchsorted(np.array(categories), np.array(examples.categories)) if len(examples) else np.empty(0, np.int64)
    )
    # The second pass holds out whole templates, on a sample: it serves only the mix weights of unknown templates.
    sample = np.sort(np.random.default_rng(SEED).permutation(len(examples))[:MANY_MEMES])
    templates = join_near_pictures(variants[sample], examples.features.pictures[sample], least=KNOWN_PICTURE_COSINE)
    characters = fit_characters(examples.features.texts)
    rows = characters.rows(examples.features.texts)  # once for all folds: it takes seconds
    trained = partial(
        fit_models,
        categories=categories,
        names=names,
        picture_names=picture_names,
        characters=characters,
        axes=find_axes(examples.features, rows),
    )
    held_out = [
        _held_out(examples, truth, len(categories), duplicates, rows, trained),
        _held_out(examples.of(sample), truth[sample], len(categories), templates, rows[sample], trained),
    ]
    sizes = np.bincount(truth, minlength=len(categories))
    parts = {
        Template.KNOWN: _joined([held_out[0].of(held_out[0].known_template)]),
        Template.UNKNOWN: _joined([scores.of(~scores.known_template) for scores in held_out]),
    }
    mix_weights: dict[Template, MixWeights] = {}
    predicted: dict[Template, Probabilities] = {}
    for template, part in parts.items():
        enough = part if len(part.truth) >= ENOUGH else _joined(held_out)
        mix_weights[template] = fit_mix_weights(enough.scores, sizes, enough.truth, groups=enough.groups)
        predicted[template] = mix_probabilities(part.scores, sizes, mix_weights[template])
    # With too few predictions of one kind for a threshold, use both kinds: their probabilities are comparable.
    both = _joined(list(parts.values()))
    every = np.concatenate(list(predicted.values()))
    thresholds = {
        template: precision_threshold(predicted[template], part.truth, precision=precision, groups=part.groups)
        if len(part.truth) >= MANY
        else precision_threshold(every, both.truth, precision=precision, groups=both.groups)
        for template, part in parts.items()
    }
    models = trained(examples.features, truth, rows=rows)
    model = CategoryModel(categories, sizes, models, mix_weights, thresholds, precision)
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
    sizes = np.bincount(truth, minlength=len(categories))
    models = refit_models(model, examples.features, truth, categories, names)
    return CategoryModel(categories, sizes, models, model.mix_weights, model.thresholds, model.precision)


def has_known_template(queries: Features, known: Features) -> NDArray[np.bool_]:
    """Return for each query whether one of the known memes has a similar visual descriptor or picture's row, [n]."""
    found = np.zeros(len(queries), np.bool_)
    if len(known):
        for start in range(0, len(queries), 1024):
            part = slice(start, start + 1024)
            found[part] = queries.of(part).descriptor_cosines(known).max(axis=1) >= KNOWN_TEMPLATE_COSINE
        other = np.flatnonzero(~found)
        found[other] = nearest_pictures(queries.pictures[other], known.pictures) >= KNOWN_PICTURE_COSINE
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


def fit_mix_weights(
    scores: ClassScores, sizes: NDArray[np.int64], truth: Places, *, groups: Places | None = None
) -> MixWeights:
    """Return the weights that maximize the likelihood of the truth: a temperature for each score (Guo et al., 2017).

    `groups` ([n]) are of memes that are right or wrong together: a group of m counts as the square root of m memes, so
    that a template of many memes does not decide alone. Without data, only the categories' sizes have a weight.
    """
    if not len(truth):
        return MixWeights(0.0, 0.0, 0.0, 1.0)
    every = np.arange(len(truth))
    names = (*SCORE_KINDS, "sizes")
    stacked = np.stack(
        [*(getattr(scores, kind) for kind in SCORE_KINDS), np.broadcast_to(log_priors(sizes), scores.words.shape)]
    )

    counts = np.ones(len(truth))
    if groups is not None:
        _, of, members = np.unique(groups, return_inverse=True, return_counts=True)
        shares = members[of] ** -0.5
        counts = shares * (len(truth) / shares.sum())

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        residuals = softmax(np.tensordot(parameters, stacked, 1))
        value = counts @ -np.log(np.maximum(residuals[every, truth], 1e-12)) + DOUBT * float(parameters @ parameters)
        residuals[every, truth] -= 1
        residuals *= counts[:, None]
        # The penalty keeps the weights finite when all predictions are right.
        return float(value), np.einsum("kij,ij->k", stacked, residuals) + 2 * DOUBT * parameters

    begin = np.array([START.get(name, 0.3) for name in names])
    found = minimize(loss, begin, jac=True, bounds=[(0, 50)] * len(names), method="L-BFGS-B").x
    return MixWeights(**{name: float(weight) for name, weight in zip(names, found, strict=True)})


def precision_threshold(
    predicted: Probabilities, truth: Places, *, precision: float, groups: Places | None = None
) -> float | None:
    """Return the lowest probability above which the most likely category has this precision, or None.

    The lower end of the precision's confidence interval must reach it, because the share of right answers above the
    best of many thresholds is higher by chance (selective classification with guaranteed risk, Geifman and El-Yaniv,
    2017). `groups` ([n]) are of memes that are right or wrong together: they count as fewer memes, by Kish's effective
    sample size.
    """
    if not len(truth):
        return None
    confidence = predicted.max(axis=1)
    right = predicted.argmax(axis=1) == truth
    order = np.argsort(-confidence, kind="stable")
    # A threshold must lie between two different probabilities.
    ends = np.append(confidence[order][1:] < confidence[order][:-1], True)
    counts = np.arange(1, len(order) + 1)
    # The sum of the squares of the groups' sizes grows by 2 m + 1 with a meme of a group of which m came before.
    squares = counts if groups is None else np.cumsum(2 * _earlier(groups[order]) + 1)
    effective = counts * (counts / squares)
    rights = np.cumsum(right[order]) / squares * counts
    # Clopper and Pearson's: the least precision with which so many would be right with a chance of DOUBTFUL.
    least = beta.ppf(DOUBTFUL, rights, effective - rights + 1)
    enough = np.flatnonzero((np.nan_to_num(least) >= precision) & ends & (counts >= ENOUGH))
    return float(confidence[order][enough[-1]]) if len(enough) else None


def _earlier(groups: Places) -> Places:
    """Return how many of the same group come before each place, [n]."""
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], groups[order])
    found = np.empty(len(groups), np.int64)
    found[order] = np.arange(len(groups)) - starts
    return found


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
    groups: Places  # of memes that were held out together

    def of(self, chosen: NDArray[np.bool_]) -> _HeldOutScores:
        return _HeldOutScores(
            self.scores.of(chosen), self.truth[chosen], self.known_template[chosen], self.groups[chosen]
        )


def _joined(held: Sequence[_HeldOutScores]) -> _HeldOutScores:
    scores = ClassScores(*(np.concatenate([getattr(part.scores, kind) for part in held]) for kind in SCORE_KINDS))
    truth, known_template = (
        np.concatenate([getattr(one, name) for one in held]) for name in ("truth", "known_template")
    )
    shifts = np.cumsum([0, *(one.groups.max(initial=-1) + 1 for one in held[:-1])])
    groups = np.concatenate([one.groups + shift for one, shift in zip(held, shifts, strict=True)])
    return _HeldOutScores(scores, truth, known_template, groups)


def _held_out(
    examples: Examples, truth: Places, count: int, groups: Places, rows: csr_array, fitted: Callable[..., Models]
) -> _HeldOutScores:
    """Return the scores of each meme by models trained without its group, and by memes outside of it."""
    found = {kind: np.zeros((len(examples), count)) for kind in SCORE_KINDS}
    known_template = np.zeros(len(examples), np.bool_)
    for train, test in folds(truth, groups):
        trained, queries = examples.features.of(train), examples.features.of(test)
        models = fitted(trained, truth[train], rows=rows[train])
        nearest = nearest_cosines(queries, trained, truth[train], count=count)
        density = PictureDensity(trained.pictures, truth[train], count=count).scores(queries.pictures)
        scores = models.scores(queries, nearest, density, characters=rows[test])
        for kind in SCORE_KINDS:
            found[kind][test] = getattr(scores, kind)
        known_template[test] = has_known_template(queries, trained)
    return _HeldOutScores(ClassScores(**found), truth, known_template, groups)
