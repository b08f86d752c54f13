"""Measures of rankings against judged queries, computed by ir-measures (MacAvaney and others, 2022)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from search.errors import WrongUse
from search.system.distribution import require_extra

DEPTH = 100  # hits of a ranking that are measured
# By our names, those of ir-measures.
MEASURES: Mapping[str, str] = {"ndcg@10": "nDCG@10", "recall@1": "R@1", "recall@10": "R@10", "mrr": "RR"}


@dataclass(frozen=True)
class JudgedQuery:
    """A query, its kind, and the paths of the memes that answer it with their grades (1 or more)."""

    query: str
    relevant: Mapping[str, int]
    kind: str = "all"


@dataclass(frozen=True)
class Metric:
    """A measure's mean over the queries of a kind; `field` is the name of the ranking."""

    kind: str
    field: str
    metric: str
    value: float
    queries: int


@dataclass(frozen=True)
class Comparison:
    """How much better one ranking is than another, named `field`, on a kind of query, with the p-value."""

    kind: str
    field: str
    difference: float
    p: float
    queries: int


def read_judged_queries(path: Path) -> list[JudgedQuery]:
    """Return the judged queries of a JSON Lines file: `{"query", "relevant": [path, …] or {path: grade}, "kind"}` each.

    Raises WrongUse with the number of a line that cannot be read.

    >>> _ = Path("judged.jsonl").write_text('{"query": "fine", "relevant": ["Dogs/fine.png"]}')
    >>> read_judged_queries(Path("judged.jsonl"))
    [JudgedQuery(query='fine', relevant={'Dogs/fine.png': 1}, kind='all')]
    """
    try:
        lines = path.read_text("utf-8").split("\n")  # `splitlines` would break a query at U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} cannot be read: {error}.") from error
    found = [_judged(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise WrongUse(f"{path} has no judged queries.", hint='A line is {"query": "…", "relevant": ["Cats/x.jpg"]}.')
    return found


def _judged(path: Path, number: int, line: str) -> JudgedQuery:
    try:
        row = json.loads(line)
        relevant = row["relevant"]
        if isinstance(relevant, list):
            relevant = dict.fromkeys(relevant, 1)
        judged = JudgedQuery(
            row["query"], {str(one): int(grade) for one, grade in relevant.items()}, row.get("kind", "all")
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongUse(
            f"Line {number} of {path} is not a judged query: {error}.",
            hint='A line is {"query": "…", "relevant": ["Cats/x.jpg"], "kind": "quote"}; the kind is optional.',
        ) from error
    if not isinstance(judged.query, str) or not judged.relevant or min(judged.relevant.values()) < 1:
        raise WrongUse(f"Line {number} of {path} needs a query and at least one relevant path.")
    return judged


def evaluate(
    queries: Iterable[JudgedQuery], rank: Callable[[str], Sequence[str]], *, field: str = "fused"
) -> list[Metric]:
    """Return each measure for each kind of query; `rank` returns the paths that answer a query, best first.

    >>> queries = [JudgedQuery("fine", {"Dogs/fine.png": 1})]
    >>> metrics = evaluate(queries, lambda query: [hit.path for hit in searcher.search(query)])
    >>> {one.metric: one.value for one in metrics}["recall@1"]
    1.0
    """
    return mean_metrics(measure_by_kind([(one, rank(one.query)) for one in queries]), field=field)


def measure_by_kind(rankings: Iterable[tuple[JudgedQuery, Sequence[str]]]) -> dict[str, dict[str, list[float]]]:
    """Return, by kind and then by measure, the value of each query, in the given order.

    >>> measure_by_kind([(JudgedQuery("q", {"a": 1}, "quote"), ["b", "a"])])["quote"]["mrr"]
    [0.5]
    """
    kinds: dict[str, list[tuple[JudgedQuery, Sequence[str]]]] = {}
    for one in rankings:
        kinds.setdefault(one[0].kind, []).append(one)
    return {
        kind: measure([judged.relevant for judged, _ in pairs], [ranked for _, ranked in pairs])
        for kind, pairs in kinds.items()
    }


def mean_metrics(values: Mapping[str, Mapping[str, Sequence[float]]], *, field: str) -> list[Metric]:
    """Return the means of the values that `measure_by_kind` returns.

    >>> mean_metrics({"quote": {"mrr": [0.5, 1.0]}}, field="fused")
    [Metric(kind='quote', field='fused', metric='mrr', value=0.75, queries=2)]
    """
    return [
        Metric(kind, field, name, sum(own) / len(own), len(own))
        for kind, measures in values.items()
        for name, own in measures.items()
    ]


def measure(
    relevant: Sequence[Mapping[str, int]],
    ranked: Sequence[Sequence[str]],
    *,
    measures: Sequence[str] = tuple(MEASURES),
) -> dict[str, list[float]]:
    """Return the values of each measure, one for each query, from the relevant documents and the ranked ones.

    A query without hits counts as 0. Raises ValueError without queries, or if there is not one ranking for each;
    MissingExtra without ir-measures.

    >>> measure([{"a": 1}, {"b": 1}], [["a"], ["a", "b"]], measures=["recall@1"])
    {'recall@1': [1.0, 0.0]}
    """
    if not relevant or len(relevant) != len(ranked):
        raise ValueError(f"{len(ranked)} rankings do not fit {len(relevant)} judged queries")
    require_extra("evaluate", ["ir_measures"], purpose="Measures of rankings")
    import ir_measures  # of an extra

    judgments = [
        ir_measures.Qrel(str(query), path, grade)
        for query, paths in enumerate(relevant)
        for path, grade in paths.items()
    ]
    names = {ir_measures.parse_measure(MEASURES[name]): name for name in measures}
    found = {name: [0.0] * len(relevant) for name in measures}
    run = [
        ir_measures.ScoredDoc(str(query), path, float(DEPTH - rank))
        for query, paths in enumerate(ranked)
        for rank, path in enumerate(dict.fromkeys(paths[:DEPTH]))
    ]
    for value in ir_measures.iter_calc(list(names), judgments, run):
        found[names[value.measure]][int(value.query_id)] = value.value
    return found


def compare_rankings(
    others: Mapping[str, Mapping[str, Sequence[float]]], own: Mapping[str, Sequence[float]]
) -> list[Comparison]:
    """Return how the values of one ranking, by kind, compare with those of others, by kind and then by name.

    Values are compared query by query with Student's paired t-test, which agrees with a randomisation test on measures
    like these (Smucker, Allan and Carterette, CIKM 2007); p-values are corrected for the number of comparisons after
    Holm (1979).

    >>> [one] = compare_rankings({"quote": {"name": [0.0, 0.1, 0.0]}}, {"quote": [1.0, 0.9, 0.8]})
    >>> round(one.difference, 2), one.p < 0.05
    (0.87, True)
    """
    from scipy.stats import binomtest, ttest_rel

    found = []
    for kind, fields in others.items():
        for field, values in fields.items():
            differences = [value - other for value, other in zip(own[kind], values, strict=True)]
            if any(one != differences[0] for one in differences):
                p = float(ttest_rel(own[kind], values).pvalue)
            else:  # equal differences have no t statistic: use a sign test
                p = float(binomtest(len(values), len(values)).pvalue) if differences[0] else 1.0
            found.append(Comparison(kind, field, sum(differences) / len(differences), p, len(differences)))
    return holm_correction(found)


def holm_correction(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons, in their order, with p-values corrected for their number.

    >>> twice = [Comparison("a", "x", 0.1, 0.02, 9), Comparison("b", "x", 0.1, 0.01, 9)]
    >>> [one.p for one in holm_correction(twice)]
    [0.02, 0.02]
    """
    least = 0.0
    found = list(comparisons)
    for rank, at in enumerate(sorted(range(len(found)), key=lambda at: found[at].p)):
        least = min(1.0, max(least, (len(found) - rank) * found[at].p))
        found[at] = replace(found[at], p=least)
    return found
