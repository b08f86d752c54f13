"""Which of two duplicates is proposed to be kept: how often the source, by kind of edit.

    python -m benchmarks.keeper real_memes --seeds 22 23
    python -m benchmarks.keeper --edits 12 --seeds 41 42
    python -m benchmarks.keeper LIBRARY DATA

Compares each copy with its source alone, without searching the library and without OCR, and asks which of the two is
kept. A copy is always later than its source in these libraries, so each pair is asked twice: with the dates of First
Seen as they are (`dated`), and with equal ones (`undated`), as where a whole folder was downloaded on one day.
`decided` is the share of pairs with equal dates in which something tells the two apart, or both show the very same
pixels; only those are merged in a batch. `right` is the share of those whose source is kept; elsewhere the one
indexed first stands for no decision. Of the very same pixels in one codec either file is right. Limits were chosen on
300 copies of 300 memes of real_memes' seeds 1 and 2, the order of the rule on 11 and 12, with a look at 14.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from benchmarks.data import Copy, Library, add_library, library_of
from benchmarks.edited import edited_library
from benchmarks.harness import Benchmark, Report, Skipped
from indexer.media.decode import DecodedMedia, decode
from indexer.stages.find_duplicates import original_of
from search.duplicates.comparison import compare_prepared, prepare
from search.duplicates.groups import Member
from search.duplicates.keep_rule import choose_kept
from search.duplicates.origin.pictures import with_traces
from search.meme import Meme
from search.settings import Settings

BENCHMARK = Benchmark(
    __doc__,
    needs="real_memes, or the drawn demo library by default",
    takes="1 minute with demo, 1 a seed with 1,000 memes of real_memes",
)
add_library(BENCHMARK)
BENCHMARK.parser.add_argument("--seeds", type=int, nargs="+", help="of several drawn libraries, summed up")
BENCHMARK.parser.add_argument("--edits", type=int, metavar="N", help="of pairs drawn for this instead, N of each edit")


@dataclass
class KeeperResults:
    """The number of pairs, and of those whose source is kept, by transformation."""

    pairs: Counter[str] = field(default_factory=Counter)
    dated: Counter[str] = field(default_factory=Counter)
    undated: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    missed: int = 0  # copies that are not found to be duplicates of their source

    def add(self, library: Library) -> None:
        """Compare the copies of a library with their sources."""
        order = {path: place for place, path in enumerate(sorted({*library.originals}))}
        for one in library.copies:
            members = _compared(library, one, order)
            if members is None:
                self.missed += 1
                continue
            way = one.transformation
            choice = choose_kept([_dated_as(member, members[0]) for member in members])
            right = choice.meme.path == one.original or _is_either_right(members)
            self.pairs[way] += 1
            self.dated[way] += choose_kept(members).meme.path == one.original
            self.undated[way] += right
            self.decided[way] += choice.is_sure
            self.right[way] += choice.is_sure and right

    def report(self, report: Report) -> None:
        """Print the shares by transformation, and of all."""
        columns = {"edit": "", "pairs": ",d", "dated": ".3f", "undated": ".3f", "decided": ".3f", "right": ".3f"}
        table = report.table("the source is kept", columns)
        for way in (*sorted(self.pairs), "all"):
            pairs, dated, undated, decided, right = (
                each.total() if way == "all" else each[way]
                for each in (self.pairs, self.dated, self.undated, self.decided, self.right)
            )
            table.row(way, pairs, dated / pairs, undated / pairs, decided / pairs, right / max(1, decided))
        report.note(f"not found to be duplicates, not counted: {self.missed} copies")


def _compared(library: Library, copy: Copy, order: dict[str, int]) -> list[Member] | None:
    """Return a copy and its source as the members of a group; None if they are no duplicates by their pictures."""
    settings = Settings(library=library.memes, data=library.data)
    found = []
    for path in (copy.original, copy.path):
        decoded = decode(library.memes / path, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes)
        found.append((_meme(library.memes / path, path, order[path], decoded), decoded))
    # As in a group: the largest comes first, then the oldest.
    found.sort(key=lambda each: (-each[1].width * each[1].height, each[0].first_seen))
    (first, one), (second, other) = found
    prepared = prepare(one.comparable[0]), prepare(other.comparable[0])
    evidence = compare_prepared(*prepared)
    if not evidence.is_duplicate:
        return None
    evidence = with_traces(evidence, original_of(one), original_of(other), prepared=prepared)
    return [Member(first), Member(second, evidence.tier, evidence)]


def _meme(file: Path, path: str, id: int, decoded: DecodedMedia) -> Meme:
    first_seen = datetime.fromisoformat(file.with_name(f"{file.name}.first-seen.txt").read_text("utf-8").strip())
    return Meme(
        id,
        path,
        path.partition("/")[0],
        f"{id:064}",
        decoded.type,
        first_seen,
        file.stat().st_size,
        decoded.width,
        decoded.height,
        content_type=decoded.content_type,
        codec=decoded.codec,
        transparent=decoded.transparent,
        share_decoded=decoded.share_decoded,
        damage=decoded.damage,
    )


def _is_either_right(members: Sequence[Member]) -> bool:
    """Return whether two files of one codec show the very same pixels: nothing can tell them apart."""
    found = [member.evidence for member in members if member.evidence is not None]
    return all(evidence.equal_pixels for evidence in found) and len({member.meme.codec for member in members}) == 1


def _dated_as(member: Member, other: Member) -> Member:
    return replace(member, meme=replace(member.meme, first_seen=other.meme.first_seen))


def measure(given: Namespace, report: Report) -> None:
    """Print the sums over all seeds."""
    results = KeeperResults()
    for seed in given.seeds or [given.seed]:
        if given.edits:
            results.add(edited_library(pairs=given.edits, seed=max(seed, 0)))
        else:
            results.add(library_of(Namespace(**{**vars(given), "seed": seed})))
    if not results.pairs:
        raise Skipped("no copy is a duplicate of its source.")
    results.report(report)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
