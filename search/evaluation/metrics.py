"""How good rankings are: judged queries in, the usual measures out, by ir-measures (MacAvaney and others, 2022)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ir_measures
from ir_measures import RR, R, nDCG

from search.errors import WrongUse

DEPTH = 100  # of a ranking that is judged; MRR sees no deeper
MEASURES: Mapping[str, ir_measures.Measure] = {
    "ndcg@10": nDCG @ 10,
    "recall@1": R @ 1,
    "recall@10": R @ 10,
    "mrr": RR,
}


@dataclass(frozen=True)
class Judged:
    """A query, what kind of query it is, and the paths of the memes that answer it, with how well (1 or more)."""

    query: str
    relevant: Mapping[str, int]
    kind: str = "all"


@dataclass(frozen=True)
class Metric:
    """A measure's mean over the queries of a kind; `field` names what ranked."""

    kind: str
    field: str
    metric: str
    value: float
    queries: int


@dataclass(frozen=True)
class Comparison:
    """How much better one ranking is than that of a field on a kind of query, and how likely chance does as much."""

    kind: str
    field: str
    difference: float
    p: float
    queries: int


def read_judged(path: Path) -> list[Judged]:
    """Return the judged queries of a JSON Lines file: `{"query", "relevant": [path, …] or {path: grade}, "kind"}` each.

    Raises WrongUse, naming the line, when it cannot be understood.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} cannot be read: {error}.") from error
    found = [_judged(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise WrongUse(f"{path} holds no judged queries.", hint='A line is {"query": "…", "relevant": ["Cats/x.jpg"]}.')
    return found


def _judged(path: Path, number: int, line: str) -> Judged:
    try:
        row = json.loads(line)
        relevant = row["relevant"]
        if isinstance(relevant, list):
            relevant = dict.fromkeys(relevant, 1)
        judged = Judged(row["query"], {str(one): int(grade) for one, grade in relevant.items()}, row.get("kind", "all"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongUse(
            f"Line {number} of {path} is no judged query: {error}.",
            hint='A line is {"query": "…", "relevant": ["Cats/x.jpg"], "kind": "quote"}; the kind may be left out.',
        ) from error
    if not isinstance(judged.query, str) or not judged.relevant or min(judged.relevant.values()) < 1:
        raise WrongUse(f"Line {number} of {path} needs a query and at least one relevant path.")
    return judged


def evaluate(judged: Iterable[Judged], rank: Callable[[str], Sequence[str]], *, field: str = "fused") -> list[Metric]:
    """Return each measure for each kind of query; `rank` gives the paths that answer a query, best first."""
    return metrics_of(values_by_kind([(one, rank(one.query)) for one in judged]), field=field)


def values_by_kind(rankings: Iterable[tuple[Judged, Sequence[str]]]) -> dict[str, dict[str, list[float]]]:
    """Return, by kind and then by measure, a value for each query, in the order in which they came."""
    kinds: dict[str, list[tuple[Judged, Sequence[str]]]] = {}
    for one in rankings:
        kinds.setdefault(one[0].kind, []).append(one)
    return {
        kind: measured([judged.relevant for judged, _ in own], [ranked for _, ranked in own])
        for kind, own in kinds.items()
    }


def metrics_of(values: Mapping[str, Mapping[str, Sequence[float]]], *, field: str) -> list[Metric]:
    """Return the means of what `values_by_kind` gave."""
    return [
        Metric(kind, field, name, sum(own) / len(own), len(own))
        for kind, measures in values.items()
        for name, own in measures.items()
    ]


def measured(
    relevant: Sequence[Mapping[str, int]],
    ranked: Sequence[Sequence[str]],
    *,
    measures: Sequence[str] = tuple(MEASURES),
) -> dict[str, list[float]]:
    """Return each measure of each query, given what is relevant to it and what was found, best first.

    A query that found nothing counts as 0. Raises ValueError when the two are not of one length or empty.
    """
    if not relevant or len(relevant) != len(ranked):
        raise ValueError(f"{len(ranked)} rankings do not fit {len(relevant)} judged queries")
    judgements = [
        ir_measures.Qrel(str(query), path, grade)
        for query, paths in enumerate(relevant)
        for path, grade in paths.items()
    ]
    names = {MEASURES[name]: name for name in measures}
    found = {name: [0.0] * len(relevant) for name in measures}
    for value in ir_measures.iter_calc(list(names), judgements, list(_run(ranked))):
        found[names[value.measure]][int(value.query_id)] = value.value
    return found


def compared(
    others: Mapping[str, Mapping[str, Sequence[float]]], own: Mapping[str, Sequence[float]]
) -> list[Comparison]:
    """Return how `own` values, by kind, compare with those of others, by kind and then by field, query by query.

    Each by Student's paired t-test, which agrees with a randomisation test on measures like these (Smucker, Allan and
    Carterette, CIKM 2007); the probabilities are corrected for the number of comparisons made, after Holm (1979).
    """
    from scipy.stats import binomtest, ttest_rel

    found = []
    for kind, fields in others.items():
        for field, values in fields.items():
            differences = [mine - theirs for mine, theirs in zip(own[kind], values, strict=True)]
            if any(one != differences[0] for one in differences):
                chance = float(ttest_rel(own[kind], values).pvalue)
            else:  # without a spread there is no t; that all have one sign has a probability too
                chance = float(binomtest(len(values), len(values)).pvalue) if differences[0] else 1.0
            found.append(Comparison(kind, field, sum(differences) / len(differences), chance, len(differences)))
    return holm(found)


def holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons, in their order, with probabilities corrected for how many they are."""
    least = 0.0
    found = list(comparisons)
    for rank, at in enumerate(sorted(range(len(found)), key=lambda at: found[at].p)):
        least = min(1.0, max(least, (len(found) - rank) * found[at].p))
        found[at] = replace(found[at], p=least)
    return found


def _run(ranked: Sequence[Sequence[str]]) -> Iterator[ir_measures.ScoredDoc]:
    for query, paths in enumerate(ranked):
        for rank, path in enumerate(dict.fromkeys(paths[:DEPTH])):
            yield ir_measures.ScoredDoc(str(query), path, float(DEPTH - rank))
