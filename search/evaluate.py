"""How good rankings are: judged queries in, the usual measures out, by ir-measures (MacAvaney and others, 2022)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    kinds: dict[str, list[Judged]] = {}
    for one in judged:
        kinds.setdefault(one.kind, []).append(one)
    return [
        Metric(kind, field, name, value, len(queries))
        for kind, queries in kinds.items()
        for name, value in measured([one.relevant for one in queries], [rank(one.query) for one in queries]).items()
    ]


def measured(relevant: Sequence[Mapping[str, int]], ranked: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return each measure's mean over queries, given what is relevant to each and what was found, best first.

    A query that found nothing counts as 0. Raises ValueError when the two are not of one length or empty.
    """
    if not relevant or len(relevant) != len(ranked):
        raise ValueError(f"{len(ranked)} rankings do not fit {len(relevant)} judged queries")
    judgements = [
        ir_measures.Qrel(str(query), path, grade)
        for query, paths in enumerate(relevant)
        for path, grade in paths.items()
    ]
    totals = dict.fromkeys(MEASURES, 0.0)
    names = {measure: name for name, measure in MEASURES.items()}
    for value in ir_measures.iter_calc(list(MEASURES.values()), judgements, list(_run(ranked))):
        totals[names[value.measure]] += value.value
    return {name: total / len(relevant) for name, total in totals.items()}


def _run(ranked: Sequence[Sequence[str]]) -> Iterator[ir_measures.ScoredDoc]:
    for query, paths in enumerate(ranked):
        for rank, path in enumerate(dict.fromkeys(paths[:DEPTH])):
            yield ir_measures.ScoredDoc(str(query), path, float(DEPTH - rank))
