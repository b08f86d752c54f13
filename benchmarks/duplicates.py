"""How well duplicates are found among drawn memes, beside the two hashes that people use.

python -m benchmarks.duplicates --seed 14 15
python -m benchmarks.duplicates LIBRARY DATA

Without folders, a library is drawn by ../shared/real_memes/build_library.py, decoded and read by our own OCR
(`--no-ocr` leaves that out); a LIBRARY drawn before can be given with its indexed DATA. Limits were tuned on seeds 7,
11 to 13 and 16 to 20; report others. Two copies of one meme are copies of each other: a pair of them is right, though
not asked for.

Per transformation: the share of pairs found by Memetica (two memes in one group), by imagededup's PHash at its
published threshold (10 of 64 bits; computed by imagehash, because imagededup installs a torchvision that does not fit
our torch) and by PDQ at its own (31 of 256).
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random

import imagehash
import numpy as np
from PIL import Image

from benchmarks.machine import machine
from indexer.library.scan import scan_library
from indexer.ocr.engines import load_ocr_engine
from indexer.stages.decode import decode_memes
from indexer.stages.embed_texts import split_texts
from indexer.stages.find_duplicates import compare_library
from indexer.stages.ocr import ocr_memes
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.duplicates.comparison import compare
from search.duplicates.groups import find_groups
from search.images.fingerprints import PDQ, PDQ_SAME, hamming
from search.settings import Settings
from search.workspace import Workspace

SHARED = Path(__file__).parents[2] / "shared" / "real_memes"
PHASH_SAME = 10  # of 64 bits
Pair = frozenset[str]


def build(folder: Path, *, memes: int, seed: int, ocr: bool = True) -> Settings:
    """Draw a library, scan, decode and read it; return its settings."""
    command = [sys.executable, str(SHARED / "build_library.py"), str(folder / "library")]
    subprocess.run([*command, "--memes", str(memes), "--seed", str(seed)], check=True, stderr=subprocess.DEVNULL)
    settings = Settings(library=folder / "library" / "memes", data=folder / "data")
    with open_catalogue(settings) as catalogue:
        scan_library(settings.library, catalogue, progress=SILENT)
        decode_memes(Workspace(settings, catalogue), progress=SILENT)
        if ocr and (engine := load_ocr_engine(settings)) is not None:
            ocr_memes(Workspace(settings, catalogue), engine, progress=SILENT)
            split_texts(catalogue)
    return settings


def grouped(catalogue: Catalogue) -> set[Pair]:
    """Return the pairs of paths that are in one group."""
    return {
        frozenset(member.meme.path for member in pair)
        for group in find_groups(catalogue)
        for pair in combinations(group.members, 2)
    }


def by_pdq(catalogue: Catalogue) -> set[Pair]:
    """Return the pairs that PDQ takes for the same."""
    paths = {meme.id: meme.path for meme in catalogue.memes.everything()}
    rows = [(paths[id], np.frombuffer(bits, np.uint8)) for id, frame, bits in catalogue.pictures.fingerprints(PDQ)]
    return _near([path for path, _ in rows], np.array([bits for _, bits in rows]), PDQ_SAME)


def by_phash(settings: Settings, paths: list[str]) -> set[Pair]:
    """Return the pairs that imagehash's pHash of 64 bits takes for the same at imagededup's threshold."""
    codes = []
    for path in paths:
        with Image.open(settings.library / path) as file:
            codes.append(np.packbits(imagehash.phash(file.convert("RGB")).hash.ravel()))
    return _near(paths, np.array(codes), PHASH_SAME)


def _near(paths: list[str], codes: np.ndarray, radius: int) -> set[Pair]:
    found = set()
    for at, code in enumerate(codes):
        for other in np.flatnonzero(hamming(code, codes[at + 1 :]) <= radius) + at + 1:
            found.add(frozenset((paths[at], paths[int(other)])))
    return found


def one_word_changed(count: int, *, seed: int) -> tuple[int, int]:
    """Return how many of the memes drawn twice, one word changed, pass as duplicates, and how many were drawn."""
    sys.path.insert(0, str(SHARED))
    from build_library import read_captions, read_templates, render

    rng = Random(f"{seed} one word")
    captions = read_captions(SHARED)
    templates = {template.id: template for template in read_templates(SHARED)}
    words = sorted({word for own in captions.values() for texts in own for text in texts for word in text.split()})
    accepted = 0
    for _ in range(count):
        id = rng.choice(sorted(captions))
        texts = list(rng.choice(captions[id]))
        zone = rng.choice([place for place, text in enumerate(texts) if text])
        changed = texts[zone].split()
        at = rng.randrange(len(changed))
        changed[at] = rng.choice([word for word in words if word.lower() != changed[at].lower()])
        size = rng.random()
        one, other = (
            _encoded(render(templates[id], caption, Random(size)), rng.randint(80, 92))
            for caption in (tuple(texts), tuple([*texts[:zone], " ".join(changed), *texts[zone + 1 :]]))
        )
        tier = compare(one, other).tier
        accepted += tier is not None and tier.is_duplicate
    return accepted, count


def _encoded(picture: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


@dataclass
class Judged:
    """The pairs of one library or several that there are, by transformation, and those that each way finds."""

    ways: dict[str, set[Pair]] = field(default_factory=dict)
    found: dict[str, set[Pair]] = field(default_factory=dict)
    right: set[Pair] = field(default_factory=set)
    others: set[Pair] = field(default_factory=set)  # of one template, with other captions

    def add(self, workspace: Workspace, *, name: str) -> None:
        """Look for the duplicates of a library; its name tells its memes from those of others."""

        def named(pairs: Iterable[Pair]) -> set[Pair]:
            return {frozenset(f"{name}/{path}" for path in pair) for pair in pairs}

        truth = json.loads((workspace.library.parent / "truth.json").read_text("utf-8"))
        asked: set[Pair] = set()
        for one in truth["duplicates"]:
            pair = frozenset(one[side].removeprefix("memes/") for side in ("original", "copy"))
            asked.add(pair)
            self.ways.setdefault(one["transformation"], set()).update(named([pair]))
        right = _closed(asked)
        self.right |= named(right)
        self.others |= named(_same_template(truth) - right)
        paths = [meme.path for meme in workspace.catalogue.memes.everything()]
        found = {
            "Memetica": grouped(workspace.catalogue),
            "PHash ≤ 10": by_phash(workspace.settings, paths),
            "PDQ ≤ 31": by_pdq(workspace.catalogue),
        }
        for way, pairs in found.items():
            self.found.setdefault(way, set()).update(named(pairs))

    def report(self) -> None:
        """Print the table and the sums."""
        asked = set().union(*self.ways.values())
        found = self.found.values()
        print(f"{'recall':22}{'pairs':>6}" + "".join(f"{name:>12}" for name in self.found))
        for way, pairs in sorted(self.ways.items()):
            print(f"{way:22}{len(pairs):6}" + "".join(f"{_share(pairs, has):12.3f}" for has in found))
        print(f"{'all':22}{len(asked):6}" + "".join(f"{_share(asked, has):12.3f}" for has in found))
        print(f"{'precision':22}{'':6}" + "".join(f"{_share(has, self.right):12.3f}" for has in found))
        shares = "".join(f"{100 * _share(self.others, has):11.2f}%" for has in found)
        print(f"{'other captions taken':22}{len(self.others):6}{shares}")


def _closed(pairs: Iterable[Pair]) -> set[Pair]:
    """Return the pairs of all that are copies of one meme, of copies as well."""
    together: dict[str, set[str]] = {}
    for pair in pairs:
        joined = set(pair).union(*(together.get(path, set()) for path in pair))
        together.update(dict.fromkeys(joined, joined))
    return {frozenset(pair) for own in together.values() for pair in combinations(sorted(own), 2)}


def _same_template(truth: dict) -> set[Pair]:
    template = {one["path"].removeprefix("memes/"): one["template"] for one in truth["memes"]}
    by_template: dict[str, list[str]] = {}
    for path, id in template.items():
        by_template.setdefault(id, []).append(path)
    return {frozenset(pair) for paths in by_template.values() for pair in combinations(paths, 2)}


def _share(of: Iterable[Pair], has: set[Pair]) -> float:
    pairs = list(of)
    return sum(pair in has for pair in pairs) / max(1, len(pairs))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("library", type=Path, nargs="?")
    arguments.add_argument("data", type=Path, nargs="?")
    arguments.add_argument("--memes", type=int, default=1000)
    arguments.add_argument("--seed", type=int, nargs="+", default=[14], help="of the memes drawn, a library each")
    arguments.add_argument("--no-ocr", action="store_true", help="compare by the pictures alone")
    given = arguments.parse_args()
    if given.library is not None and len(given.seed) > 1:
        arguments.error("a library that is given was drawn with one seed")
    print(machine(), flush=True)
    judged, accepted, changed = Judged(), 0, 0
    for seed in given.seed:
        with tempfile.TemporaryDirectory() as folder:
            if given.library is None:
                settings = build(Path(folder), memes=given.memes, seed=seed, ocr=not given.no_ocr)
                print(f"{given.memes} memes drawn with seed {seed}, {'no' if given.no_ocr else 'our own'} OCR")
            else:
                settings = Settings(library=given.library / "memes", data=given.data)
                print(f"{given.library.name}, OCR as indexed")
            with open_catalogue(settings) as catalogue:
                decode_memes(
                    Workspace(settings, catalogue), progress=SILENT
                )  # a library given may be an earlier version's
                report = compare_library(Workspace(settings, catalogue), progress=SILENT)
                pairs = len(catalogue.pairs.compared())
                print(f"{catalogue.memes.count()} memes, {pairs} pairs compared in {report.seconds:.0f} s", flush=True)
                judged.add(Workspace(settings, catalogue), name=str(seed))
        taken, drawn = one_word_changed(150, seed=seed)
        accepted, changed = accepted + taken, changed + drawn
    judged.report()
    print(f"one word changed: {accepted} of {changed} taken for duplicates, by the pictures alone")


if __name__ == "__main__":
    main()
