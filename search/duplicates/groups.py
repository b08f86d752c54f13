"""Group alike memes. Each group is a star: every member was compared with the group's representative.

Connected components would chain pairs: on a real library they put 97 different pictures into one group.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from search.catalogue import Catalogue
from search.evidence import Evidence, Tier
from search.meme import Meme

DUPLICATE_TIERS = tuple(tier for tier in Tier if tier.is_duplicate)

PairKey = tuple[str, str]  # two content hashes
Neighbors = dict[str, dict[str, Evidence]]  # by content hash, then by the hash of an alike content


@dataclass(frozen=True)
class Member:
    """A meme of a group, with the evidence of its comparison with the representative; None for the representative."""

    meme: Meme
    tier: Tier | None = None
    evidence: Evidence | None = None  # the representative is the first of the two memes


@dataclass(frozen=True)
class Group:
    """A group of alike memes: `members`, the representative first, and the tier of the least certain member."""

    key: str  # 16 hex digits, the same for the same set of contents
    tier: Tier
    representative: Meme
    members: tuple[Member, ...]


def find_groups(
    catalogue: Catalogue, *, tiers: Collection[Tier] = DUPLICATE_TIERS, settled: Collection[PairKey] = ()
) -> list[Group]:
    """Return the groups of present memes that are alike in these tiers: most certain tier first, then largest first.

    Two contents of a `settled` pair (hashes in any order; the same hash twice for copies of the same bytes) are never
    in one group. Tiers that are not duplicates are grouped separately.

    >>> [group.tier.value for group in find_groups(workspace.catalogue, tiers=[Tier.IDENTICAL])]
    []
    """
    contents: dict[str, list[Meme]] = {}
    for meme in catalogue.memes.with_likes():
        contents.setdefault(meme.content_hash, []).append(meme)
    separated = {_sorted_pair(*pair) for pair in settled}
    found: list[Group] = []
    duplicates = [tier for tier in tiers if tier.is_duplicate]
    if duplicates:
        # Variants with different texts must stay apart even if a third meme, too small for OCR, is like both.
        never_together = separated | {pair.key for pair in catalogue.pairs.all(Tier.VARIANT)}
        neighbors = _neighbors(catalogue, duplicates, separated)
        found.extend(_stars(contents, neighbors, never_together, identical=Tier.IDENTICAL in duplicates))
    for tier in tiers:
        if not tier.is_duplicate:
            found.extend(_stars(contents, _neighbors(catalogue, [tier], separated), separated, identical=False))
    return sorted(found, key=lambda group: (group.tier.rank, -len(group.members), group.key))


def _neighbors(catalogue: Catalogue, tiers: Iterable[Tier], separated: set[PairKey]) -> Neighbors:
    """Return the evidence on each pair under both of its contents; the key's content comes first in the evidence."""
    neighbors: Neighbors = {}
    for tier in tiers:
        for pair in catalogue.pairs.all(tier):
            if pair.key not in separated:
                neighbors.setdefault(pair.one, {})[pair.other] = pair.evidence
                neighbors.setdefault(pair.other, {})[pair.one] = pair.evidence.swapped()
    return neighbors


def _stars(
    contents: dict[str, list[Meme]], neighbors: Neighbors, separated: set[PairKey], *, identical: bool
) -> Iterable[Group]:
    """Yield a star around the content with the most neighbours, then repeat this with the remaining contents."""
    remaining = set(neighbors)
    if identical:
        remaining |= {content for content in contents if _has_copies(content, contents, separated)}
    waiting = {content: remaining & neighbors.get(content, {}).keys() for content in remaining}
    # Most neighbours first, then the largest and oldest; hashes break ties, so that every run gives the same groups.
    rank = {content: _rank(contents[content]) for content in remaining}
    order = [(-len(waiting[content]), rank[content], content) for content in remaining]
    heapq.heapify(order)
    while order:
        count, _, center = heapq.heappop(order)
        if center not in remaining:
            continue
        if (
            now := -len(waiting[center] & remaining)
        ) != count:  # earlier stars have some of its neighbours: queue it again
            heapq.heappush(order, (now, rank[center], center))
            continue
        taken = [center]
        near = sorted(waiting[center] & remaining, key=lambda other: (neighbors[center][other].order, other))
        for other in near:
            if not any(_sorted_pair(other, member) in separated for member in taken):
                taken.append(other)
        remaining -= set(taken)
        if len(taken) > 1 or (identical and _has_copies(center, contents, separated)):
            yield _group(taken, contents, neighbors, separated, identical=identical)


def _rank(memes: list[Meme]) -> tuple[int, float]:
    first = memes[0]
    pixels = (first.width or 0) * (first.height or 0)
    return -pixels, min(meme.first_seen.timestamp() for meme in memes)


def _has_copies(content: str, contents: dict[str, list[Meme]], separated: set[PairKey]) -> bool:
    return len(contents[content]) > 1 and (content, content) not in separated


def _group(
    taken: list[str],
    contents: dict[str, list[Meme]],
    neighbors: Neighbors,
    separated: set[PairKey],
    *,
    identical: bool,
) -> Group:
    center = taken[0]
    members: list[Member] = []
    for content in taken:
        memes = sorted(contents[content], key=lambda meme: (meme.first_seen, meme.id))
        if not identical or (content, content) in separated:
            memes = memes[:1]
        evidence = Evidence(Tier.IDENTICAL) if content == center else neighbors[center][content]
        members.extend(Member(meme, evidence.tier, evidence) for meme in memes)
    members[0] = Member(members[0].meme)
    tiers = [member.tier for member in members if member.tier is not None]
    names = "\n".join(sorted(taken))
    return Group(
        key=hashlib.sha256(names.encode("ascii")).hexdigest()[:16],
        tier=max(tiers, key=lambda tier: tier.rank),
        representative=members[0].meme,
        members=tuple(members),
    )


def _sorted_pair(one: str, other: str) -> PairKey:
    return (one, other) if one < other else (other, one)
