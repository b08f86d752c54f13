"""An index in Qdrant's real core against the files: the same hits, in the same order, and how long each takes.

    python -m benchmarks.engine
    python -m benchmarks.engine FOLDER

FOLDER is an indexed data folder, such as the demo's; without it, the library of `benchmarks.scale` is made. The core
runs in this process behind its REST interface on a loopback port, as in the tests, without the graphs of a large
collection: hits are what counts here, and times are no server's. A server of your own is compared by
`memetica index --into qdrant:URL --compare`.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter

from benchmarks.data import cache
from benchmarks.harness import Benchmark, Report, Skipped
from benchmarks.scale import RandomDirections, fill
from indexer.stages.build_index import build_index
from search.catalogue import open_catalogue
from search.encoders.base import TextEncoder
from search.encoders.registry import load_text_encoder
from search.evaluation.engines import compare_engines
from search.evaluation.known_items import QUOTE, quote_queries
from search.index.contract import Making
from search.index.local import LocalStore
from search.index.stores import open_store
from search.settings import Settings
from search.texts.agreement import LEAST_WEIGHT
from search.texts.chunking import SPLITTER
from search.workspace import Workspace

BENCHMARK = Benchmark(__doc__, needs="the extra qdrant, and qdrant-edge-py", takes="10 minutes")
BENCHMARK.parser.add_argument("folder", nargs="?", type=Path, help="an indexed data folder (default: made up)")
BENCHMARK.option("--memes", 10_000, small=300, help="memes of a made-up library")
BENCHMARK.option("--queries", 200, small=5, help="known items to ask for")


def made_up(memes: int) -> tuple[Workspace, TextEncoder]:
    """Return the made-up library, indexed, and its encoder."""
    encoder = RandomDirections()
    settings = Settings(data=(cache() / f"scale-{memes}-with-gaps").absolute(), text_encoder=encoder.name)
    workspace = Workspace(settings, open_catalogue(settings))
    if not workspace.catalogue.memes.count():
        fill(workspace.catalogue, memes, encoder=encoder)
    build_index(workspace, text_encoder=encoder.name)
    return workspace, encoder


def varied(queries: list[str], categories: list[str]) -> Iterator[str]:
    """Yield queries with filters, excluded words and quotes."""
    few = queries[: max(1, len(queries) // 20)]
    for category in categories:
        yield from (f'category:"{category}" {query}' for query in few)
    yield from (f"has:ocr {query}" for query in few)
    yield from (f"type:image after:2016 {query}" for query in few)
    yield from (f"{query} -{query.split()[0]}" for query in few)
    yield from (f'"{" ".join(query.split()[:3])}"' for query in few)


def measure(given: Namespace, report: Report) -> None:
    """Print how alike the answers are."""
    try:
        from tests.support.qdrant_server import qdrant_server  # of the tests, which not every installation has
    except ImportError as error:
        raise Skipped(f"{error.name} is not installed") from error
    if given.folder is None:
        workspace, encoder = made_up(given.memes)
    else:
        workspace = Workspace.open(given.folder)
        encoder = load_text_encoder(workspace.settings, long_running=True)
    with workspace, tempfile.TemporaryDirectory() as folder, qdrant_server(Path(folder)) as server:
        local = LocalStore(workspace.index).open()
        store = open_store(workspace.settings, engine=f"qdrant:{server.url}")
        begun = perf_counter()
        making = Making(encoder.name, local.manifest.image_encoder, SPLITTER, LEAST_WEIGHT)
        manifest = store.build(workspace.catalogue, making)
        report.note(f"{manifest.memes:,} memes written in {perf_counter() - begun:.0f} s")
        known = quote_queries(workspace.catalogue, local, sample=given.queries)
        queries = [one.query for one in known if one.kind == QUOTE]
        categories = list(islice((name for name, _ in local.columns.branches.values()), 3))
        columns = {"": "", "queries": "d", "overlap@10": ".4f", "same first": ".3f", "same order": ".3f"}
        different: list[str] = []
        table = report.table("the same hits", {**columns, "files p50 ms": ".1f", "core p50 ms": ".1f"})
        for label, asked in (("known items", queries), ("filters, quotes", list(varied(queries, categories)))):
            found = compare_engines(
                workspace.catalogue, (local, store.open()), encoder, asked, weights=workspace.settings.weights
            )
            table.row(label, found.queries, found.overlap, found.same_first, found.same_order, *found.milliseconds)
            different += found.different
        report.note(f"other hits, or in another order: {'; '.join(different) or 'none'}")


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
