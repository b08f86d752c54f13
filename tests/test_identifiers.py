"""Identifiers are spelled as Americans do, so that nobody has to guess between `color` and `colour`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BRITISH = re.compile(
    r"colour|grey|neighbour|behaviour|favour|flavour|honour|centre|centring|metre|litre|fibre|licence|defence|offence"
    r"|judgement|analyse\b|artefact|cancelled|labelled|modelled|travelled"
    r"|(?:recogn|normal|organ|serial|optim|minim|maxim|token|summar|categor|initial|synchron|priorit|visual|util)is(?:e|ing)",
    re.IGNORECASE,
)
PROSE = re.compile(r'""".*?"""|"[^"\n]*"|#[^\n]*', re.DOTALL)


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module gives; a test's name is a sentence, and so prose."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not name.startswith("test_"):
                yield name
            case ast.ClassDef(name=name) | ast.arg(arg=name) | ast.alias(asname=str(name)):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def british(source: str) -> list[str]:
    if not BRITISH.search(PROSE.sub("", source)):
        return []  # most files: parsing them takes seconds
    return [name for name in identifiers(ast.parse(source)) if BRITISH.search(name)]


def test_identifiers_are_american() -> None:
    files = [
        file
        for package in ("search", "indexer", "web", "demo", "benchmarks", "tests")
        for file in (ROOT / package).rglob("*.py")
    ]
    assert {
        file.relative_to(ROOT).as_posix(): found for file in files if (found := british(file.read_text("utf-8")))
    } == {}
    assert [file.name for file in files if BRITISH.search(file.stem)] == []


def test_every_kind_of_name_is_looked_at_and_prose_is_not() -> None:
    source = '''
import colorsys as colour_system
NEIGHBOURS = "colour"
class Licence:
    """A licence."""
    def normalise(self, centre, *, grey=None, **labelled): self.behaviour = [metre for metre in ()]
def test_a_look_sees_colours(): return picture.colour
'''
    assert sorted(british(source)) == [
        *("Licence", "NEIGHBOURS", "behaviour", "centre", "colour_system", "grey", "labelled", "metre", "normalise")
    ]
