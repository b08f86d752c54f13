"""Search by meaning in an exported site: how near it is to the served site's, what it fetches, and how soon it joins.

    python -m benchmarks.static_meaning
    python -m benchmarks.static_meaning --memes 30000

The demo library is exported and searched in Chromium, with the real text encoder, from a server on this machine:
seconds are without a network. Quoted phrases are those of `memetica evaluate`: as they are, with a slip, and with what
OCR does. The library of `--memes` is made up, as that of `benchmarks.scale`; its embeddings are
random directions, so it shows bytes and time alone, and its queries get rows of the right size without an encoder.
"""

from __future__ import annotations

import shutil
import threading
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.browser import chromium
from benchmarks.data import drawn_library
from benchmarks.harness import Benchmark, Report, Skipped
from benchmarks.scale import RandomDirections, add_folder, folder_of, pools, sampled
from benchmarks.static_site import documents_of_all, library
from search.evaluation.known_items import quote_queries
from search.evaluation.metrics import JudgedQuery
from search.index.lexical.vocabulary import WordIndex
from search.index.local import LocalIndex
from search.query.quotes import make_quote, memes_saying_all
from search.ranking.relevance import relevance_rule
from search.searcher import Searcher
from search.settings import parse_weights
from search.workspace import Workspace
from web.static_site.export import export_site
from web.static_site.meaning_index import build_meaning_index
from web.static_site.options import LINK, SiteOptions
from web.static_site.search_index import build_search_index

BENCHMARK = Benchmark(__doc__, needs="Chromium and playwright", takes="15 minutes the first time, then 5")
add_folder(BENCHMARK)
BENCHMARK.option("--queries", 100, small=5, help="queries")
BENCHMARK.option("--quotes", 100, small=5, help="quotes, each in three forms")
_BROWSER = Path(__file__).parents[1] / "web" / "static_site" / "browser"
_SEARCH = """async ([queries, rows, scripts]) => {
  const at = (name) => new URL(name, new URL(scripts, document.baseURI));
  const { SearchIndex } = await import(at("search.js"));
  const { MeaningIndex } = await import(at("meaning.js"));
  const { Encoder } = await import(at("encoder.js"));
  const folder = new URL("search/", document.baseURI);
  let bytes = 0;
  let files = 0;
  const load = async (name) => {
    const raw = await (await fetch(new URL(name, folder))).arrayBuffer();
    bytes += raw.byteLength;
    files += 1;
    return raw;
  };
  const fetched = () => {
    const row = { bytes, files };
    bytes = files = 0;
    return row;
  };
  const words = await new SearchIndex(load).open();
  fetched();
  const begun = performance.now();
  let encoder;
  let row; // of the query, whatever of it is read
  const embed = (text) => (rows ? row : encoder.embed(text));
  const meaning = await new MeaningIndex(load, embed).open(words.table.meaning.table);
  if (!rows) {
    encoder = new Encoder(new URL("encoder/", folder), meaning.table.encoder);
    await encoder.ready;
  }
  const found = [];
  const ready = performance.now() - begun;
  const once = fetched();
  for (const [place, query] of queries.entries()) {
    row = rows?.[place];
    const plain = await words.search(query);
    fetched();
    const started = performance.now();
    const { hits, total } = await words.search(query, { meaning });
    const ms = performance.now() - started;
    const best = (hits) => hits.slice(0, 10).map((hit) => hit.id);
    found.push({ ...fetched(), ms, total, ids: best(hits), words: best(plain.hits) });
    if (rows) {
      meaning.lists.clear(); // each query as the first one
      meaning.memes.clear();
    }
  }
  return { ready, once, found };
}"""

_QUOTES = """async ([queries, scripts]) => {
  const at = (name) => new URL(name, new URL(scripts, document.baseURI));
  const [{ SearchIndex }, { fetching }] = await Promise.all([import(at("search.js")), import(at("files.js"))]);
  const load = fetching(new URL("search/", document.baseURI));
  const found = [];
  for (const query of queries) {
    let bytes = 0;
    const counted = async (name, more) => {
      const raw = await load(name, more);
      bytes += raw.byteLength;
      return raw;
    };
    const { hits } = await (await new SearchIndex(counted).open()).search(query);
    found.push({ bytes, ids: hits.filter((hit) => hit.says.length).map((hit) => hit.id) });
  }
  return found;
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def _page(folder: Path) -> Iterator[Any]:
    """Yield a page of Chromium at the first page of a folder, served from this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with chromium() as browser:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/index.html")
            yield page
    finally:
        server.shutdown()
        server.server_close()


def _overlap(found: Sequence[Sequence[int]], expected: Sequence[Sequence[int]]) -> float:
    shares = [len(set(one) & set(other)) / len(other) for one, other in zip(found, expected, strict=True) if other]
    return sum(shares) / max(1, len(shares))


def print_quotes(
    quotes: Sequence[JudgedQuery], said: Sequence[dict[str, Any]], lexical: WordIndex, report: Report
) -> None:
    """Print for how many quotes the browser finds the memes that the served site does, and what it fetches for one."""
    table = report.table(
        "memes that say a quoted phrase", {"": "", "quotes": "d", "as served": ".3f", "kB, p50": ".0f", "most": ".0f"}
    )
    for kind in dict.fromkeys(one.kind for one in quotes):
        own = [(one.query, answer) for one, answer in zip(quotes, said, strict=True) if one.kind == kind]
        same = 0
        for phrase, answer in own:
            ids = memes_saying_all([make_quote(phrase, lexical)], lexical)
            same += ids is not None and sorted(answer["ids"]) == ids.tolist()
        kilobytes = sorted(answer["bytes"] / 1e3 for _, answer in own)
        table.row(kind, len(own), same / len(own), kilobytes[len(own) // 2], kilobytes[-1])


def measure_agreement(given: Namespace, report: Report) -> None:
    """Print how near the browser's ten best hits on the demo are to the served site's, and when meaning joins."""
    demo = drawn_library("demo", memes=260)
    with demo.workspace() as workspace, TemporaryDirectory() as name:
        queries = [query.query for _, query in demo.judged()]
        queries = queries[:: max(1, len(queries) // given.queries)][: given.queries]
        expected: dict[str, list[list[int]]] = {}
        for label, weights in (("without its image encoder", "image.text=0"), ("as it is", "")):
            settings = replace(
                workspace.settings, weights=parse_weights(weights) if weights else workspace.settings.weights
            )
            with Searcher(Workspace(settings, workspace.catalogue)) as searcher:
                expected[label] = [[hit.meme.id for hit in searcher.search(query, k=10)] for query in queries]
        begun = perf_counter()
        done = export_site(workspace, Path(name), SiteOptions(media=LINK))
        report.note(f"the demo's site was written in {perf_counter() - begun:.0f} s: {done.report.written:,} files")
        if done.without_meaning:
            raise Skipped(done.without_meaning)
        scripts = next((Path(name) / "static").iterdir()).relative_to(name).as_posix() + "/"
        index = LocalIndex.open(workspace.index)
        quotes = [one for one in quote_queries(workspace.catalogue, index, sample=given.quotes) if '"' not in one.query]
        with _page(Path(name)) as page:
            found = page.evaluate(_SEARCH, [queries, None, scripts])
            said = page.evaluate(_QUOTES, [[f'"{one.query}"' for one in quotes], scripts])
    print_quotes(quotes, said, index.lexical, report)
    table = report.table(
        "ten best hits in the browser and on the served site", {"": "", "by meaning": ".3f", "by words": ".3f"}
    )
    for label, answers in expected.items():
        own = [one["ids"] for one in found["found"]], [one["words"] for one in found["found"]]
        table.row(f"overlap@10, the served site {label}", *(_overlap(one, answers) for one in own))
        first = [[one[:1] == other[:1] for one, other in zip(part, answers, strict=True)] for part in own]
        table.row(f"same first hit, the served site {label}", *(sum(one) / len(one) for one in first))
    table = report.table("search by meaning, the demo", {"": "", "value": ",.1f"})
    table.row("MB of the encoder, its runtime and tokenizer, once", done.meaning_bytes / 1e6)
    table.row("kB of tables, once", found["once"]["bytes"] / 1e3)
    table.row("seconds until it is there, without the network", found["ready"] / 1e3)
    table.row("ms a query, p50", sorted(one["ms"] for one in found["found"])[len(queries) // 2])


def measure_size(given: Namespace, report: Report) -> None:
    """Print what vectors of a made-up library take, and what a query fetches of them."""
    workspace = library(folder_of(given, "scale"), given.memes, report)
    encoder = RandomDirections()
    with workspace.catalogue, TemporaryDirectory() as name:
        index = LocalIndex.open(workspace.index)
        begun = perf_counter()
        rule = relevance_rule(workspace.settings, encoder)
        built = build_meaning_index(index, workspace.settings, rule, words_of=lambda ids: {})
        seconds = perf_counter() - begun
        assert built is not None
        memes = workspace.catalogue.memes.everything()
        words = build_search_index(
            index.lexical, memes, documents_of_all(workspace), meaning={"table": "vectors/table.dat", "bytes": 0}
        )
        folder = Path(name) / "search"
        for part in ("vectors", "phrases"):
            (folder / part).mkdir(parents=True)
        for path, raw in {**words.parts, **built.parts, "index.json": words.table}.items():
            (folder / path).write_bytes(raw)
        (folder / "vectors" / "table.dat").write_bytes(built.packed_table({}))
        shutil.copytree(_BROWSER, Path(name) / "static")
        (Path(name) / "index.html").write_text("<!doctype html>", "utf-8")
        queries = sampled(pools()[1], given.queries)
        with _page(Path(name)) as page:
            found = page.evaluate(_SEARCH, [queries, encoder.encode(queries).tolist(), "static/"])
    table = report.table(f"vectors of {given.memes:,} memes", {"": "", "value": ",.1f"})
    table.row("seconds to make", seconds)
    table.row("files", len(built.parts) + 1)
    table.row("MB in all", sum(map(len, built.parts.values())) / 1e6)
    table.row("kB of tables, once", found["once"]["bytes"] / 1e3)
    for label, values in (
        ("kB that a query fetches, words included", [one["bytes"] / 1e3 for one in found["found"]]),
        ("files that a query fetches", [one["files"] for one in found["found"]]),
        ("ms a query, without the network", [one["ms"] for one in found["found"]]),
    ):
        ordered = sorted(values)
        table.row(f"{label}: p50", ordered[len(ordered) // 2])
        table.row(f"{label}: p95", ordered[int(len(ordered) * 0.95)])


def measure(given: Namespace, report: Report) -> None:
    """Print agreement on the demo, then bytes and time of a made-up library."""
    measure_size(given, report)
    measure_agreement(given, report)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
