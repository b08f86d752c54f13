"""Judgements from files: the formats of TREC, and their plain JSON relatives.

Judgements (`--qrels`) are lines `QUERY 0 PATH GRADE`, where a path may hold spaces, or JSON: `{query: path}`,
`{query: [path, …]}`, `{query: {path: grade}}`, or objects with a `path`. Queries (`--queries`) are lines of a query's
id, a tab and its text, or JSON: `{id: text}`, or `{id: {kind: text}}` for queries of several kinds. Or one file has
both, a JSON object to a line: `{"query": text, "relevant": [path, …] or {path: grade}, "kind": name}`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.errors import WrongUse
from search.evaluation.metrics import Judged

KIND = "all"


def read_qrels(qrels: Path, *, queries: Path) -> list[Judged]:
    """Return the judged queries of two files; a query without a judgement above 0 is left out.

    Raises WrongUse, naming the file and the place, when one cannot be understood or nothing is left.
    """
    relevant = _relevant(qrels)
    found = [
        Judged(text, relevant[id], kind)
        for id, kinds in _queries(queries).items()
        for kind, text in kinds.items()
        if relevant.get(id)
    ]
    if not found:
        raise WrongUse(f"No query of {queries} is judged in {qrels}.", hint="Both name a query by the same id.")
    return found


def in_library(judged: Sequence[Judged], paths: Collection[str]) -> tuple[list[Judged], int]:
    """Return the judged queries with only the paths that a library has, and how many paths it has not.

    A path may begin with the library's folder, as in `memes/Cats/x.jpg`. Raises WrongUse when no query is left.
    """
    known = set(paths)
    kept: list[Judged] = []
    missing: set[str] = set()
    for one in judged:
        relevant: dict[str, int] = {}
        for path, grade in one.relevant.items():
            own = path if path in known else path.partition("/")[2]
            if own in known:
                relevant[own] = grade
            else:
                missing.add(path)
        if relevant:
            kept.append(replace(one, relevant=relevant))
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
        raise WrongUse(f"{path} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise WrongUse(f"{path} must be an object.")
    return found


def _relevant(path: Path) -> dict[str, dict[str, int]]:
    text = _text(path)
    if text.lstrip().startswith("{"):
        return {id: _grades(path, id, judged) for id, judged in _object(path, text).items()}
    found: dict[str, dict[str, int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            id, _, rest = line.split(None, 2)
            meme, grade = rest.rsplit(None, 1)
            value = int(grade)
        except ValueError as error:
            raise WrongUse(
                f"Line {number} of {path} is no judgement.",
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
        raise WrongUse(f"The judgement of {id!r} in {path} is neither a path, nor paths, nor paths with grades.")
    return {meme: grade for meme, grade in judged.items() if grade > 0}


def _queries(path: Path) -> dict[str, dict[str, str]]:
    text = _text(path)
    found: dict[str, dict[str, str]] = {}
    if text.lstrip().startswith("{"):
        for id, asked in _object(path, text).items():
            kinds = {KIND: asked} if isinstance(asked, str) else asked
            if not isinstance(kinds, dict) or not all(isinstance(one, str) for one in kinds.values()):
                raise WrongUse(f"The query {id!r} in {path} is neither a text nor texts by kind.")
            found[id] = kinds
        return found
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            id, tab, asked = line.partition("\t")
            if not tab or not asked.strip():
                raise WrongUse(
                    f"Line {number} of {path} is no query.", hint="A line is a query's id, a tab and its text."
                )
            found[id.strip()] = {KIND: asked.strip()}
    return found
