"""Read judged queries in TREC's formats and in JSON.

Judgements (`--qrels`) are lines `QUERY 0 PATH GRADE`, where a path may hold spaces, or JSON: `{query: path}`,
`{query: [path, …]}`, `{query: {path: grade}}`, or objects with a `path`. Queries (`--queries`) are lines of a query's
id, a tab and its text, or JSON: `{id: text}`, or `{id: {kind: text}}` for queries of several kinds. Or one file has
both, one JSON object per line: `{"query": text, "relevant": [path, …] or {path: grade}, "kind": name}`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.errors import WrongUse
from search.evaluation.metrics import JudgedQuery

KIND = "all"


def read_qrels(qrels: Path, *, queries: Path) -> list[JudgedQuery]:
    """Return the judged queries of two files, without queries that have no judgement above 0.

    Raises WrongUse with the file and the position when one cannot be read, or when no query is judged.

    >>> _ = Path("qrels").write_text("1 0 Dogs/fine.png 2"), Path("queries").write_text("1\\tburning room")
    >>> read_qrels(Path("qrels"), queries=Path("queries"))
    [JudgedQuery(query='burning room', relevant={'Dogs/fine.png': 2}, kind='all')]
    """
    relevant = _relevant(qrels)
    found = [
        JudgedQuery(text, relevant[id], kind)
        for id, kinds in _queries(queries).items()
        for kind, text in kinds.items()
        if relevant.get(id)
    ]
    if not found:
        raise WrongUse(f"No query of {queries} is judged in {qrels}.", hint="Use the same query ids in both files.")
    return found


def keep_known_paths(queries: Sequence[JudgedQuery], paths: Collection[str]) -> tuple[list[JudgedQuery], int]:
    """Return the judged queries with only the paths that are in a library, and the number of missing paths.

    A path may begin with the library's folder, as in `memes/Cats/x.jpg`. Raises WrongUse when no query remains.

    >>> keep_known_paths([JudgedQuery("fine", {"memes/Dogs/fine.png": 1, "gone.png": 1})], ["Dogs/fine.png"])
    ([JudgedQuery(query='fine', relevant={'Dogs/fine.png': 1}, kind='all')], 1)
    """
    known = set(paths)
    kept: list[JudgedQuery] = []
    missing: set[str] = set()
    for query in queries:
        relevant: dict[str, int] = {}
        for path, grade in query.relevant.items():
            relative = path if path in known else path.partition("/")[2]
            if relative in known:
                relevant[relative] = grade
            else:
                missing.add(path)
        if relevant:
            kept.append(replace(query, relevant=relevant))
    if not kept:
        raise WrongUse(
            f"None of the {len(missing):,} judged paths is in the library.",
            hint="A path is relative to the library's folder: Cats/x.jpg.",
        )
    return kept, len(missing)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} cannot be read: {error}.") from error


def _object(path: Path, text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise WrongUse(f"{path} is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise WrongUse(f"{path} must be a JSON object.")
    return found


def _relevant(path: Path) -> dict[str, dict[str, int]]:
    text = _text(path)
    if text.lstrip().startswith("{"):
        return {id: _grades(path, id, judged) for id, judged in _object(path, text).items()}
    found: dict[str, dict[str, int]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            id, _, rest = line.split(None, 2)
            meme, grade = rest.rsplit(None, 1)
            value = int(grade)
        except ValueError as error:
            raise WrongUse(
                f"Line {number} of {path} is not a judgement.",
                hint="A line is: QUERY 0 Cats/x.jpg 1, where 1 is the grade.",
            ) from error
        if value > 0:
            found.setdefault(id, {})[meme] = value
    return found


def _grades(path: Path, id: str, judged: Any) -> dict[str, int]:
    if isinstance(judged, dict) and isinstance(judged.get("path"), str):
        judged = judged["path"]
    if isinstance(judged, str):
        judged = [judged]
    if isinstance(judged, list) and all(isinstance(one, str) for one in judged):
        judged = dict.fromkeys(judged, 1)
    if not isinstance(judged, dict) or not all(isinstance(grade, int) for grade in judged.values()):
        raise WrongUse(
            f"The judgement of {id!r} in {path} must be a path, a list of paths, or an object of paths and grades."
        )
    return {meme: grade for meme, grade in judged.items() if grade > 0}


def _queries(path: Path) -> dict[str, dict[str, str]]:
    text = _text(path)
    found: dict[str, dict[str, str]] = {}
    if text.lstrip().startswith("{"):
        for id, text_of_query in _object(path, text).items():
            kinds = {KIND: text_of_query} if isinstance(text_of_query, str) else text_of_query
            if not isinstance(kinds, dict) or not all(isinstance(one, str) for one in kinds.values()):
                raise WrongUse(f"The query {id!r} in {path} must be a text or an object of texts by kind.")
            found[id] = kinds
        return found
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            id, tab, text_of_query = line.partition("\t")
            if not tab or not text_of_query.strip():
                raise WrongUse(
                    f"Line {number} of {path} is not a query.", hint="A line is a query's id, a tab and its text."
                )
            found[id.strip()] = {KIND: text_of_query.strip()}
    return found
