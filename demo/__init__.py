"""A library that we drew ourselves: hundreds of memes with all that a real library has, and the truth about each."""

from demo.plan import EXAMPLE_QUERIES
from demo.truth import Change, DemoDuplicate, DemoMeme, DemoQuery, DemoTruth, QueryKind
from demo.writing import draw_demo

__all__ = [
    "EXAMPLE_QUERIES",
    "Change",
    "DemoDuplicate",
    "DemoMeme",
    "DemoQuery",
    "DemoTruth",
    "QueryKind",
    "draw_demo",
]
