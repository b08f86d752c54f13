"""Which of two duplicates is proposed to be kept: how often the source, by kind of edit.

    python -m benchmarks.keeper real_memes --seeds 14 15
    python -m benchmarks.keeper LIBRARY DATA

Counts the proposed groups that are a source and its only copy. A copy is always later than its source in these
libraries, so each group is asked twice: with the dates of First Seen as they are, and with equal ones, as where a whole
folder was downloaded on one day. Where nothing tells the two apart, the rule keeps the one indexed first: right half of
the time. Pictures are not read (no OCR). The rule was chosen on real_memes' seeds 11 and 12, and with a look at 14.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from dataclasses import dataclass, field, replace

from benchmarks.data import Library, add_library, library_of
from benchmarks.duplicates import compared
from benchmarks.harness import Benchmark, Report, Skipped
from indexer.curation.duplicates import propose
from search.duplicates.groups import Member
from search.duplicates.keep_rule import choose_kept
from search.workspace import Workspace

BENCHMARK = Benchmark(
    __doc__,
    needs="real_memes, or the drawn demo library by default",
    takes="1 minute with demo, 3 a seed with 1,000 memes of real_memes",
)
add_library(BENCHMARK)
BENCHMARK.parser.add_argument("--seeds", type=int, nargs="+", help="of several drawn libraries, summed up")


@dataclass
class KeeperResults:
    """The number of pairs, and of those whose source is kept, by transformation."""

    pairs: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    right_by_date: Counter[str] = field(default_factory=Counter)
    missed: int = 0  # copies that are in no group with their source alone

    def add(self, workspace: Workspace, library: Library) -> None:
        """Ask for the proposals of a compared library, once with its dates and once with equal ones."""
        copies = {frozenset((one.path, one.original)): one for one in library.copies}
        rule = workspace.settings.keep_rule
        found = 0
        for proposal in propose(workspace):
            members = proposal.group.members
            one = copies.get(frozenset(member.meme.path for member in members))
            if one is None:
                continue
            found += 1
            undated = [_dated_as(member, members[0]) for member in members]
            self.pairs[one.transformation] += 1
            self.right_by_date[one.transformation] += proposal.kept.path == one.original
            self.right[one.transformation] += choose_kept(undated, rule=rule)[0].path == one.original
        self.missed += len(copies) - found

    def report(self, report: Report) -> None:
        """Print the shares by transformation, and of all."""
        table = report.table("the source is kept", {"edit": "", "pairs": ",d", "dated": ".3f", "undated": ".3f"})
        for way, pairs in sorted(self.pairs.items()):
            table.row(way, pairs, self.right_by_date[way] / pairs, self.right[way] / pairs)
        pairs = self.pairs.total()
        table.row("all", pairs, self.right_by_date.total() / pairs, self.right.total() / pairs)
        report.note(f"in no group with their source alone, not counted: {self.missed} copies")


def _dated_as(member: Member, other: Member) -> Member:
    return replace(member, meme=replace(member.meme, first_seen=other.meme.first_seen))


def measure(given: Namespace, report: Report) -> None:
    """Print the sums over all seeds."""
    results = KeeperResults()
    for seed in given.seeds or [given.seed]:
        library = library_of(Namespace(**{**vars(given), "seed": seed}))
        if given.data is None:
            library = replace(library, data=library.root / "data-without-ocr")
        workspace, _ = compared(library, ocr=False)
        with workspace:
            results.add(workspace, library)
    if not results.pairs:
        raise Skipped("no copy is in a group with its source.")
    results.report(report)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
