"""Train the category model, and measure its precision on held-out memes.

The only module that uses scikit-learn for training. Folds keep duplicates together to predict memes with a known
template, and all variants of a template together to predict memes with an unknown one: otherwise a model would be
tested on what it was trained on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.stats import beta
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from search.categories.characters import CharacterModel, fit_characters
from search.categories.density import PictureDensity
from search.categories.features import Examples, Features, Places, Rows
from search.categories.fitting import MANY_MEMES, SEED, fit_models, refit_models
from search.categories.model import (
    KNOWN_TEMPLATE_COSINE,
    SCORE_KINDS,
    CategoryModel,
    ClassScores,
    MixWeights,
    Probabilities,
    Template,
    combined_probabilities,
    log_priors,
    mix_probabilities,
    softmax,
)

PRECISION = 0.9
FOLDS = 4
ENOUGH = 20  # least predictions to measure a precision or fit mix weights
START = {"sizes": 0.5}  # of the search for the mix weights; .3 for the others
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
    characters = fit_characters(examples.features.texts)
    rows = characters.rows(examples.features.texts)  # once for all folds: it takes seconds
    held_out = [
        _held_out(examples, truth, categories, names, duplicates, characters, rows),
        _held_out(examples.of(sample), truth[sample], categories, names, variants[sample], characters, rows[sample]),
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
    models = fit_models(examples.features, truth, categories, names, characters=characters, rows=rows)
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


def fit_mix_weights(scores: ClassScores, sizes: NDArray[np.int64], truth: Places) -> MixWeights:
    """Return the weights that maximize the likelihood of the truth: a temperature for each score (Guo et al., 2017).

    Without data, only the categories' sizes have a weight.
    """
    if not len(truth):
        return MixWeights(0.0, 0.0, 0.0, 1.0)
    every = np.arange(len(truth))
    names = (*SCORE_KINDS, "sizes")
    stacked = np.stack(
        [*(getattr(scores, kind) for kind in SCORE_KINDS), np.broadcast_to(log_priors(sizes), scores.words.shape)]
    )

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        residuals = softmax(np.tensordot(parameters, stacked, 1))
        value = -np.log(np.maximum(residuals[every, truth], 1e-12)).sum() + DOUBT * float(parameters @ parameters)
        residuals[every, truth] -= 1
        # The penalty keeps the weights finite when all predictions are right.
        return float(value), np.einsum("kij,ij->k", stacked, residuals) + 2 * DOUBT * parameters

    begin = np.array([START.get(name, 0.3) for name in names])
    found = minimize(loss, begin, jac=True, bounds=[(0, 50)] * len(names), method="L-BFGS-B").x
    return MixWeights(**{name: float(weight) for name, weight in zip(names, found, strict=True)})


def precision_threshold(predicted: Probabilities, truth: Places, *, precision: float) -> float | None:
    """Return the lowest probability above which the most likely category has this precision, or None.

    The lower end of the precision's confidence interval must reach it, because the share of right answers above the
    best of many thresholds is higher by chance (selective classification with guaranteed risk, Geifman and El-Yaniv,
    2017).
    """
    if not len(truth):
        return None
    confidence = predicted.max(axis=1)
    right = predicted.argmax(axis=1) == truth
    order = np.argsort(-confidence, kind="stable")
    # A threshold must lie between two different probabilities.
    ends = np.append(confidence[order][1:] < confidence[order][:-1], True)
    counts = np.arange(1, len(order) + 1)
    # Clopper and Pearson's: the least precision with which so many would be right with a chance of DOUBTFUL.
    least = beta.ppf(DOUBTFUL, np.cumsum(right[order]), counts - np.cumsum(right[order]) + 1)
    enough = np.flatnonzero((np.nan_to_num(least) >= precision) & ends & (counts >= ENOUGH))
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
    scores = ClassScores(*(np.concatenate([getattr(part.scores, kind) for part in held]) for kind in SCORE_KINDS))
    return scores, np.concatenate([part.truth for part in held])


def _held_out(
    examples: Examples,
    truth: Places,
    categories: tuple[str, ...],
    names: Mapping[str, Rows],
    groups: Places,
    characters: CharacterModel,
    rows: csr_array,
) -> _HeldOutScores:
    """Return the scores of each meme by models trained without its group, and by memes outside of it."""
    found = {kind: np.zeros((len(examples), len(categories))) for kind in SCORE_KINDS}
    known_template = np.zeros(len(examples), np.bool_)
    for train, test in folds(truth, groups):
        trained, queries = examples.features.of(train), examples.features.of(test)
        models = fit_models(trained, truth[train], categories, names, characters=characters, rows=rows[train])
        nearest = nearest_cosines(queries, trained, truth[train], count=len(categories))
        density = PictureDensity(trained.pictures, truth[train], count=len(categories)).scores(queries.pictures)
        scores = models.scores(queries, nearest, density, characters=rows[test])
        for kind in SCORE_KINDS:
            found[kind][test] = getattr(scores, kind)
        known_template[test] = has_known_template(queries, trained)
    return _HeldOutScores(ClassScores(**found), truth, known_template)
