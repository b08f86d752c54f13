"""The site as plain files: bytes and time of the index in the browser, and files, bytes and time of an export.

    python -m benchmarks.static_site
    python -m benchmarks.static_site FOLDER --memes 30000 --exported 2000

The library is that of `benchmarks.scale`: real or made-up texts, pictures without files. The index is read by its own
scripts under node, from files; bytes are what a browser fetches for a first answer of 30 memes without their pictures,
uncompressed where a plain server of files sends them so. Queries are whole sentences, their first words as a quoted
phrase, for which the first answer has the memes that say it exactly and the finished one also those with a slip, and
PHRASES.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.harness import Benchmark, Report
from benchmarks.scale import RandomDirections, add_folder, fill, folder_of, pools, sampled
from indexer.stages.build_index import build_index
from search.catalogue import open_catalogue
from search.index.contents import Contents
from search.index.lexical.writer import Document, documents_of
from search.index.local import LocalIndex
from search.settings import Settings
from search.texts.agreement import LEAST_WEIGHT
from search.workspace import Workspace
from web.static_site.app import site_assets
from web.static_site.export import export_site
from web.static_site.options import SiteOptions
from web.static_site.search_index import build_search_index

BENCHMARK = Benchmark(__doc__, needs="node for the queries", takes="20 minutes the first time, then 10")
add_folder(BENCHMARK)
BENCHMARK.option("--exported", 2000, small=60, help="memes of the exported library")
BENCHMARK.option("--queries", 100, small=10, help="queries to time")
QUOTED = 1, 2, 4, 8  # words of a phrase
PHRASES = "to be or not to be", "it is what it is", "of the", "when you are in the", "我爱你", "猫 dog"
_STYLES = ("site.css", "search.css")
_SCRIPTS = ("chosen.js", "site.js", "grid.js", "search_page.js", "search.js", "query.js", "words.js")
_ALWAYS = (*_STYLES, *_SCRIPTS, "ranking.js", "files.js")
_QUOTING, _SLIPS = "phrases.js", "slips.js"  # fetched for the first quoted phrase; for what slips need
_SHOWN = 30  # memes of a first answer
_SCRIPT = """
import { readFile } from "node:fs/promises";
const { SearchIndex } = await import(%(module)s);
const rows = [];
const options = { exactly: %(exactly)s };
for (const query of %(queries)s) {
  let bytes = 0, files = 0;
  const index = new SearchIndex(async (name) => {
    const raw = await readFile(%(folder)s + "/" + name);
    bytes += raw.length; files += 1;
    return raw;
  });
  const begun = performance.now();
  await index.open();
  const found = await index.search(query, options);
  const row = { bytes, files, ms: performance.now() - begun, hits: found.hits.length, quoted: Boolean(index.phrases) };
  if (%(cards)s) await Promise.all(found.hits.slice(0, %(shown)s).map((hit) => index.card(hit.id)));
  rows.push({ ...row, cards: bytes - row.bytes });
}
console.log(JSON.stringify(rows));
"""


def library(folder: Path, memes: int, report: Report) -> Workspace:
    """Return the workspace of a made-up library, made when it is not there."""
    settings = Settings(data=folder, library=folder / "memes", text_encoder=RandomDirections().name)
    catalogue = open_catalogue(settings)
    if not catalogue.memes.count():
        begun = perf_counter()
        fill(catalogue, memes, encoder=RandomDirections())
        report.note(f"catalogue of {memes:,} memes made in {perf_counter() - begun:.0f} s")
    workspace = Workspace(settings, catalogue)
    build_index(workspace, text_encoder=settings.text_encoder)
    return workspace


def documents_of_all(workspace: Workspace) -> Iterator[Document]:
    """Yield the texts of all memes, as the lexical index has them."""
    contents = Contents(workspace.catalogue, LEAST_WEIGHT)
    return documents_of(contents.texts(), paths={meme.id: meme.path for meme in contents.memes})


def measure_index(workspace: Workspace, given: Namespace, report: Report) -> None:
    """Print size and time of the index in the browser, then bytes and time of a first answer."""
    lexical = LocalIndex.open(workspace.index).lexical
    memes = workspace.catalogue.memes.everything()
    begun = perf_counter()
    built = build_search_index(lexical, memes, documents_of_all(workspace))
    seconds = perf_counter() - begun
    facts = json.loads(built.table)["facts"]
    table = report.table("index in the browser", {"": "", "value": ",.0f"})
    table.row("memes", len(memes))
    table.row("seconds to make", seconds)
    table.row("files", len(built.parts) + 1)
    table.row("bytes in all", sum(map(len, built.parts.values())) + len(built.table))
    table.row("bytes of the largest part", max(map(len, built.parts.values())))
    table.row("bytes of the table", len(built.table))
    table.row("bytes of the facts", len(built.parts[facts]))
    phrases = [raw for name, raw in built.parts.items() if name.startswith("phrases/")]
    table.row("files of the phrases", len(phrases))
    table.row("bytes of the phrases", sum(map(len, phrases)))
    with TemporaryDirectory() as name:
        for part, raw in built.parts.items():
            file = Path(name, part)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(raw)
        Path(name, "index.json").write_bytes(built.table)
        texts = [query.replace('"', "") for query in sampled(pools()[1], given.queries)]
        print_answers("a first answer: words, everything cold", Path(name), texts, report)
        for words in QUOTED:
            quotes = [f'"{" ".join(text.split()[:words])}"' for text in texts]
            print_quoted(f"the first {words} words as a quoted phrase", Path(name), quotes, report)
        frequent = [f'"{one}"' for one in PHRASES]
        print_quoted("frequent words and scripts without spaces, quoted", Path(name), frequent, report)


def print_quoted(title: str, index: Path, quotes: Sequence[str], report: Report) -> None:
    """Print what the first and the finished answer to quoted phrases take."""
    print_answers(f"a first answer: {title}", index, quotes, report, exactly=True)
    print_answers(f"the finished answer: {title}", index, quotes, report)


def print_answers(
    title: str,
    index: Path,
    queries: Sequence[str],
    report: Report,
    *,
    page: Path | None = None,
    exactly: bool = False,
) -> None:
    """Print what a browser fetches for the answer to each query; with its cards where there is a search page.

    With `exactly`, it is an answer without what says a phrase with a slip.
    """
    if shutil.which("node") is None:
        report.note("node is not installed: no queries were timed")
        return
    values = {
        "module": (Path(__file__).parents[1] / "web/static_site/browser/search.js").as_uri(),
        "queries": list(queries),
        "folder": str(index),
        "cards": page is not None,
        "shown": _SHOWN,
        "exactly": exactly,
    }
    with TemporaryDirectory() as name:
        script = Path(name) / "run.mjs"
        script.write_text(_SCRIPT % {key: json.dumps(value) for key, value in values.items()}, "utf-8")
        done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)
    size = {name: len(raw) for name, raw in site_assets()[1].items()}
    shell = sum(size[name] for name in _ALWAYS) + (page.stat().st_size if page else 0)
    table = report.table(title, {"": "", "p50": ",.0f", "p95": ",.0f", "most": ",.0f"})
    quoting = size[_QUOTING] + (0 if exactly else size[_SLIPS])
    wholes = [row["bytes"] + row["cards"] + shell + (quoting if row["quoted"] else 0) for row in rows]
    lines = [("bytes of the index", [row["bytes"] for row in rows])]
    if page is not None:
        lines.append((f"bytes of the cards of {_SHOWN} memes", [row["cards"] for row in rows]))
    lines += [
        ("bytes in all, with scripts and style sheets uncompressed", wholes),
        ("requests to the index", [row["files"] for row in rows]),
        ("ms without the network", [row["ms"] for row in rows]),
    ]
    for label, numbers in lines:
        ordered = sorted(numbers)
        table.row(label, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)], ordered[-1])


def measure_export(workspace: Workspace, given: Namespace, report: Report) -> None:
    """Print files, bytes and time of an export, and of a second one that changes nothing."""
    options = SiteOptions(media="https://media.example/", base_url="https://memes.example/")
    with TemporaryDirectory() as name:
        out = Path(name) / "site"
        table = report.table("export", {"": "", "seconds": ".0f", "files": ",.0f", "written": ",.0f", "MB": ".1f"})
        for label in ("first", "second, nothing changed"):
            begun = perf_counter()
            done = export_site(workspace, out, options, text_encoder=RandomDirections()).report
            table.row(label, perf_counter() - begun, done.written + done.unchanged, done.written, done.bytes / 1e6)
        texts = [query.replace('"', "") for query in sampled(pools()[1], given.queries)]
        print_answers("a first answer: words, with cards", out / "search", texts, report, page=out / "search.html")
        sizes: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for file in out.rglob("*"):
            if file.is_file() and ".memetica-site" not in file.parts:
                kind = file.relative_to(out).parts[0] if len(file.relative_to(out).parts) > 1 else "top"
                sizes[kind] += file.stat().st_size
                files[kind] += 1
        table = report.table(
            "what is in it, without the memes' files and thumbnails", {"": "", "files": ",.0f", "kB": ",.0f"}
        )
        for kind in sorted(sizes):
            table.row(kind, files[kind], sizes[kind] / 1000)


def measure(given: Namespace, report: Report) -> None:
    """Print what the index and the export cost."""
    large = library(folder_of(given, "scale"), given.memes, report)
    with large.catalogue:
        measure_index(large, given, report)
    given.memes = given.exported
    small = library(folder_of(Namespace(folder=None, memes=given.exported), "scale"), given.exported, report)
    with small.catalogue:
        measure_export(small, given, report)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
