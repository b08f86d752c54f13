"""The libraries that benchmarks measure on: the drawn demo library, CM50, real_memes, or a folder of your own.

    python -m benchmarks.data demo
    python -m benchmarks.data cm50
    python -m benchmarks.data real_memes --memes 1000 --seed 7

Each command draws the library into the cache, indexes it and prints its folder; a benchmark with the same
name, number and seed does the same. A folder of your own holds `memes/`, `truth.json` in one of the three formats,
and gets its index in `data/`.

The demo library comes with this repository. CM50 and real_memes (real captions on real templates; not to be published)
are looked for in `$MEMETICA_BENCHMARK_DATA`, by default the folder `shared` beside the project, as folders `cm50` and
`real_memes` that hold `build_library.py`. The cache is `$MEMETICA_BENCHMARK_CACHE`, by default
`~/.cache/memetica/benchmarks`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.harness import PROJECT, Benchmark, Skipped
from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.evaluation.known_items import with_typo
from search.evaluation.metrics import JudgedQuery
from search.index.lexical.analyzer import is_stop_word, tokenize
from search.settings import Settings
from search.workspace import Workspace

USUAL_SEED = {"demo": 1, "cm50": 0, "real_memes": 14}
DRAWN = tuple(USUAL_SEED)
DEMO_DATE = "2026-01-01"  # of the newest memes, so that a cached library is the one that would be drawn today
OTHER_WORDS = 3  # least words of a query that are not on its meme
UNREADABLE = frozenset({"flip", "crop", "mirrored", "cropped"})  # mirrored words cannot be read, a crop may cut them


def shared(name: str) -> Path:
    """Return the folder of a data set that is not in this repository; raise Skipped when it is not here."""
    folder = Path(os.environ.get("MEMETICA_BENCHMARK_DATA", PROJECT.parent / "shared")) / name
    if not (folder / "build_library.py").is_file():
        raise Skipped(
            f"the data set {name} is not in {folder.parent}. Put it there, or name its parent in "
            "MEMETICA_BENCHMARK_DATA; see python -m benchmarks.data --help."
        )
    return folder


def cache() -> Path:
    """Return the folder that drawn libraries are kept in."""
    return Path(os.environ.get("MEMETICA_BENCHMARK_CACHE", Path.home() / ".cache" / "memetica" / "benchmarks"))


@dataclass(frozen=True)
class Copy:
    """An altered copy: the paths of both files, and what was done."""

    path: str
    original: str
    transformation: str


@dataclass(frozen=True)
class Lookalike:
    """Two files that look alike and are no copies: their paths, and the kind of their difference."""

    one: str
    other: str
    kind: str


@dataclass(frozen=True)
class Library:
    """A library with its truth. `root` holds `memes/` and `truth.json`; `data` is its data folder."""

    name: str
    root: Path
    data: Path
    ocr: bool = True  # whether its pictures are read when it is indexed

    @property
    def memes(self) -> Path:
        """The folder that holds the categories."""
        return self.root / "memes"

    @cached_property
    def _truth(self) -> Mapping[str, Any]:
        return json.loads((self.root / "truth.json").read_text("utf-8"))

    @cached_property
    def _rows(self) -> list[Mapping[str, Any]]:
        return self._truth["memes"] if "memes" in self._truth else list(self._truth.values())

    @cached_property
    def copies(self) -> tuple[Copy, ...]:
        """The altered copies."""
        return tuple(
            Copy(_path(one["copy"]), _path(one["original"]), one["transformation"])
            for one in self._truth.get("duplicates", ())
        )

    @cached_property
    def lookalikes(self) -> tuple[Lookalike, ...]:
        """The pairs that look alike and are no copies; those of one template with other captions are not listed."""
        return tuple(
            Lookalike(_path(pair["one"]), _path(pair["other"]), pair["kind"])
            for pair in self._truth.get("lookalikes", ())
        )

    @cached_property
    def originals(self) -> dict[str, str]:
        """The path of what each file is a copy of, by path; a meme that is no copy stands for itself."""
        found = {_path(one["path"]): _path(one["path"]) for one in self._rows}
        waiting = list(self.copies)
        while ready := [one for one in waiting if one.original in found]:
            found |= {one.path: found[one.original] for one in ready}
            waiting = [one for one in waiting if one.path not in found]
        return found

    @cached_property
    def templates(self) -> dict[str, str]:
        """The template of each file, copies included, by path."""
        own = {_path(one["path"]): one["template"] for one in self._rows}
        return {path: own[original] for path, original in self.originals.items()}

    @cached_property
    def captions(self) -> dict[str, str]:
        """The words drawn on each meme that is no copy, by path."""
        return {_path(one["path"]): " ".join(one.get("boxes") or one.get("caption") or ()) for one in self._rows}

    @cached_property
    def described(self) -> frozenset[str]:
        """The paths of the memes that have a description; empty where the truth does not say."""
        return frozenset(_path(one["path"]) for one in self._rows if one.get("has_description"))

    @cached_property
    def readable_copies(self) -> dict[str, set[str]]:
        """The copies whose words can still be read, by their original's path."""
        found: dict[str, set[str]] = {}
        for one in self.copies:
            if one.transformation not in UNREADABLE:
                found.setdefault(one.original, set()).add(one.path)
        return found

    def judged(self) -> list[tuple[str, JudgedQuery]]:
        """Return judged queries, each with the key of its half; empty for a library that comes with none.

        CM50: what a meme means, the same shortened, its title. Demo: what it shows, says, means.
        """
        if self.name == "cm50":
            queries = json.loads((shared("cm50") / "queries_dev.json").read_text("utf-8"))
            return [
                (id, JudgedQuery(query, {_path(self._truth[id]["path"]): 1}, kind))
                for id, kinds in queries.items()
                if id in self._truth
                for kind, query in kinds.items()
            ]
        return [
            (min(paths), JudgedQuery(one["query"], dict.fromkeys(paths, 1), one["kind"]))
            for one in self._truth.get("queries", ())
            if (paths := [_path(path) for path in one["relevant"]])
        ]

    def quotes(self) -> list[tuple[str, str, frozenset[str]]]:
        """Return quoted words, the same with a slip of the finger, and the paths of the memes that say them."""
        random = Random(7)
        rows = self._truth.get("quotes") or [
            {**one, "typo": with_typo(one["query"], random)}
            for one in self._truth.get("queries", ())
            if one["kind"] == "quotes"
        ]
        found = []
        for one in rows:
            right = {_path(path) for path in one["relevant"]}
            copies = set().union(*(self.readable_copies.get(path, set()) for path in right))
            found.append((one["query"], one["typo"], frozenset(right | copies)))
        return found

    def beside(self, suffix: str) -> Library:
        """Return the library with another data folder beside its own, which begins as a copy of it, if there is one."""
        data = self.data.with_name(self.data.name + suffix)
        if self.data.is_dir() and not data.is_dir():
            shutil.copytree(self.data, data)
        return replace(self, data=data)

    def workspace(self, *, ocr: bool = True, **settings: Any) -> Workspace:
        """Return the workspace, its index brought up to date; without `ocr` no picture is read."""
        chosen = Settings(library=self.memes, data=self.data, **settings).absolute()
        if not (ocr and self.ocr):
            chosen = replace(chosen, ocr_engine="none")
        print(f"bringing the index of {self.root} up to date", file=sys.stderr, flush=True)
        workspace = Workspace(chosen, open_catalogue(chosen, migrate=True))
        # A copy of a library has the data folder of the one that it was copied from.
        index_library(workspace, progress=SILENT, new_library=True)
        return workspace


def _path(path: str) -> str:
    return path.removeprefix("memes/")


def add_library(benchmark: Benchmark, *, small: int = 40) -> None:
    """Add the arguments that choose a library: LIBRARY, DATA, --memes, --seed."""
    add = benchmark.parser.add_argument
    add("library", nargs="?", default="demo", metavar="LIBRARY", help="demo (default), cm50, real_memes, or a folder")
    add("data", nargs="?", type=Path, metavar="DATA", help="its data folder (default: data, in the library's folder)")
    benchmark.option("--memes", 0, small=small, help="memes to draw; 0 draws demo 260, cm50 all, real_memes 1000")
    benchmark.option(
        "--seed", -1, help="of what is drawn; -1 is demo 1, cm50 0, real_memes 14, on which nothing was tuned"
    )


def library_of(given: argparse.Namespace) -> Library:
    """Return the library that the arguments choose, drawn into the cache if it is not there yet."""
    if given.library in DRAWN:
        found = drawn_library(given.library, memes=given.memes, seed=given.seed)
    else:
        root = Path(given.library).absolute()
        if not (root / "truth.json").is_file():
            raise Skipped(f"{root} has no truth.json; see python -m benchmarks.data --help for what a library holds.")
        found = Library(_kind(root), root, root / "data")
    if given.data:
        return replace(found, data=given.data.absolute())
    # A trial run is to be short: reading pictures is what takes longest.
    return replace(found, data=found.root / "data-without-ocr", ocr=False) if given.small else found


def drawn_library(name: str, *, memes: int = 0, seed: int = -1) -> Library:
    """Return a drawn library from the cache; draw it first if it is not there. Raises Skipped without its data set."""
    seed = USUAL_SEED[name] if seed < 0 else seed
    if name == "demo":
        memes = memes or 260
        command = [sys.executable, "-m", "demo", "--date", DEMO_DATE, "--memes", str(memes), "--seed", str(seed)]
    else:
        memes = memes or {"cm50": 0, "real_memes": 1000}[name]
        command = [sys.executable, str(shared(name) / "build_library.py"), "--seed", str(seed)]
        command += ["--memes", str(memes)] if memes else []
    root = cache() / f"{name}-{memes or 'all'}-{seed}"
    if not root.exists():
        print(f"drawing {name} into {root}", file=sys.stderr, flush=True)
        aside = root.with_name(f"{root.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*command, str(aside)], check=True, stdout=subprocess.DEVNULL, cwd=PROJECT)
        aside.rename(root)
    return Library(name, root, root / "data")


def without_descriptions(library: Library) -> Library:
    """Return a copy of an indexed library whose memes have no descriptions; what OCR read is kept."""
    root = library.root.with_name(f"{library.root.name}-without-descriptions")
    if not root.exists():
        aside = root.with_name(f"{root.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(
            library.root, aside, ignore=shutil.ignore_patterns("*.simple-description.txt", "*.detailed-analysis.txt")
        )
        aside.rename(root)
    return replace(library, root=root, data=root / library.data.name)


def without_category_names(library: Library) -> Library:
    """Return a copy of an indexed library whose categories are numbered, so that their names tell nothing."""
    root = library.root.with_name(f"{library.root.name}-without-categories")
    if not root.exists():
        aside = root.with_name(f"{root.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(library.root, aside)
        truth = (aside / "truth.json").read_text("utf-8")
        folders = sorted(one for one in (aside / "memes").iterdir() if one.is_dir())
        for number, folder in enumerate(folders, 1):
            # Both ways in which the truths of libraries name a file.
            for before in ("memes/", ""):
                name = json.dumps(folder.name)[1:-1]
                truth = truth.replace(f'"{before}{name}/', f'"{before}{number:03}/')
            folder.rename(folder.with_name(f"{number:03}"))
        (aside / "truth.json").write_text(truth, "utf-8")
        aside.rename(root)
    return replace(library, root=root, data=root / library.data.name)


def described_templates(library: Library) -> list[tuple[str, str, set[str]]]:
    """Return queries that describe a template of real_memes: the key of the half, the query, the paths of its memes."""
    if library.name != "real_memes":
        return []
    templates = json.loads((shared("real_memes") / "templates.json").read_text("utf-8"))
    found = []
    for key, template in templates.items():
        paths = {path for path, own in library.templates.items() if own == key}
        found += [(key, query, paths) for query in template["queries"] if paths]
    return found


def in_other_words(library: Library) -> list[tuple[str, JudgedQuery]]:
    """Return the judged queries without the words that are on their meme, in its file's name or in its category's.

    A word is left out in any of its forms. Queries with fewer than OTHER_WORDS words left, stop words aside, are left
    out. Raises Skipped for a library whose queries do not have one relevant meme each.
    """
    found = []
    for key, one in library.judged():
        if len(one.relevant) > 1:
            raise Skipped("only of CM50 is it known which one meme a query was written about.")
        (path,) = one.relevant
        taken = _terms(f"{library.captions[path]} {path}")
        # Of a phrase in quotation marks words may be gone: what is left of it is no phrase.
        words = [word for word in one.query.replace('"', "").split() if _terms(word) and not _terms(word) & taken]
        if sum(not is_stop_word(word) for word in words) >= OTHER_WORDS:
            found.append((key, replace(one, query=" ".join(words), kind=f"{one.kind}, other words")))
    return found


def _terms(text: str) -> set[str]:
    return {token.term for token in tokenize(text) if token.term}


def _kind(root: Path) -> str:
    """Return which format a folder's truth has."""
    truth = json.loads((root / "truth.json").read_text("utf-8"))
    return "cm50" if "memes" not in truth else "demo" if "queries" in truth else "real_memes"


def main() -> None:
    """Draw and index a library; print its folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=DRAWN)
    parser.add_argument("--memes", type=int, default=0, help="0 (default) draws the usual number")
    parser.add_argument("--seed", type=int, default=-1, help="-1 (default) draws with the usual seed")
    parser.add_argument("--no-index", action="store_true", help="draw only")
    given = parser.parse_args()
    try:
        library = drawn_library(given.name, memes=given.memes, seed=given.seed)
    except Skipped as error:
        raise SystemExit(str(error)) from error
    if not given.no_index:
        library.workspace().close()
    print(library.root)


if __name__ == "__main__":
    main()
