"""The demo library: hundreds of drawn memes with everything that a real library has, and their ground truth."""

from demo.library import draw_demo
from demo.plan import EXAMPLE_QUERIES
from demo.truth import Change, DemoDuplicate, DemoMeme, DemoQuery, DemoTruth, QueryKind

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
