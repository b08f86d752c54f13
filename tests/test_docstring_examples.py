"""The examples in docstrings run and print what they say; each function that a package exports has one."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from search.errors import MemeticaError
from search.searcher import Searcher
from tests.support.examples import DocstringExample, Export, docstring_examples, exports, has_example
from tests.support.fakes import HashingTextEncoder

# Exported functions that have no example yet. The list only shrinks: a test below fails for an entry that has one.
WITHOUT_EXAMPLE: frozenset[str] = frozenset()

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("example", list(docstring_examples()), ids=lambda example: example.id)
def test_example_prints_what_its_docstring_says(
    example: DocstringExample, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    # doctest compares the last line of a traceback with the message, and an error's hint is a note behind it.
    monkeypatch.setattr(MemeticaError, "add_note", lambda error, note: None)
    names: dict[str, object] = dict(vars(importlib.import_module(example.module)))
    names |= {"np": np, "Path": Path, "folder": folder, "encoder": HashingTextEncoder()}
    used = set(re.findall(r"\w+", example.docstring))
    if used & {"workspace", "searcher"}:
        names["workspace"] = workspace = request.getfixturevalue("workspace")
        if "searcher" in used:
            names["searcher"] = Searcher(workspace, text_encoder=HashingTextEncoder())
    printed: list[str] = []
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(example.doctest(names), out=printed.append)
    assert result.failed == 0, "".join(printed)


def functions() -> list[Export]:
    return [export for export in exports() if isinstance(export.definition, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_each_exported_function_and_class_has_a_docstring() -> None:
    defined = [export for export in exports() if export.definition is not None]
    assert [export.id for export in defined if not ast.get_docstring(export.definition)] == []


def test_each_exported_function_has_an_example() -> None:
    lacking = {export.id for export in functions() if not has_example(export.definition)}
    assert lacking - WITHOUT_EXAMPLE == set(), "add a `>>>` example to the docstring"


def test_the_list_of_functions_without_an_example_only_shrinks() -> None:
    lacking = {export.id for export in functions() if not has_example(export.definition)}
    assert WITHOUT_EXAMPLE - lacking == set(), "take these out of WITHOUT_EXAMPLE: they have an example, or are gone"
