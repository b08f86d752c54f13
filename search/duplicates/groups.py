"""Groups of memes that are alike: a star each, so that every member was compared with the representative itself.

Connected components would chain: on a real library they joined 97 different pictures in one group.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from search.catalogue import Catalogue
from search.evidence import Evidence, Tier
from search.meme import Meme

DUPLICATES = tuple(tier for tier in Tier if tier.is_duplicate)
_SURENESS = {tier: place for place, tier in enumerate(Tier)}


@dataclass(frozen=True)
class Member:
    """A meme of a group, and what speaks for it, the representative named first; nothing for that one itself."""

    meme: Meme
    tier: Tier | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Group:
    """Memes that are alike. `members` begins with the representative; `tier` is that of the least sure member."""

    key: str  # the same for the same contents, however often each is there
    tier: Tier
    representative: Meme
    members: tuple[Member, ...]


def find_groups(
    catalogue: Catalogue, *, tiers: Collection[Tier] = DUPLICATES, settled: Collection[tuple[str, str]] = ()
) -> list[Group]:
    """Return groups of present memes that are alike in some of these tiers, the surest tier and largest group first.

    Two contents of a `settled` pair (hashes in any order; the same hash twice for copies of the same bytes) are never
    in one group. Tiers that are no duplicates make groups of their own.
    """
    contents: dict[str, list[Meme]] = {}
    for meme in catalogue.memes.with_likes():
        contents.setdefault(meme.content_hash, []).append(meme)
    apart = {_ordered(*pair) for pair in settled}
    found: list[Group] = []
    duplicates = [tier for tier in tiers if tier.is_duplicate]
    if duplicates:
        # Two that say different things are not one because a third is too small to tell which of them it says.
        others = apart | {pair.key for pair in catalogue.pairs.all(Tier.VARIANT)}
        alike = _alike(catalogue, duplicates, apart)
        found.extend(_stars(contents, alike, others, identical=Tier.IDENTICAL in duplicates))
    for tier in tiers:
        if not tier.is_duplicate:
            found.extend(_stars(contents, _alike(catalogue, [tier], apart), apart, identical=False))
    return sorted(found, key=lambda group: (_SURENESS[group.tier], -len(group.members), group.key))


Alike = dict[str, dict[str, Evidence]]


def _alike(catalogue: Catalogue, tiers: Iterable[Tier], apart: set[tuple[str, str]]) -> Alike:
    """Return, by content and by what is like it, the evidence with the first named first."""
    alike: Alike = {}
    for tier in tiers:
        for pair in catalogue.pairs.all(tier):
            if pair.key not in apart:
                alike.setdefault(pair.one, {})[pair.other] = pair.evidence
                alike.setdefault(pair.other, {})[pair.one] = pair.evidence.turned()
    return alike


def _stars(
    contents: dict[str, list[Meme]], alike: Alike, apart: set[tuple[str, str]], *, identical: bool
) -> Iterable[Group]:
    """Yield a star for each content that most others are like, then for what is left."""
    left = set(alike)
    if identical:
        left |= {content for content, memes in contents.items() if len(memes) > 1 and (content, content) not in apart}
    waiting = {content: left & alike.get(content, {}).keys() for content in left}
    # Many are like it first, then the largest and oldest; hashes decide between equals, so that runs agree.
    rank = {content: _rank(contents[content]) for content in left}
    order = [(-len(waiting[content]), rank[content], content) for content in left]
    heapq.heapify(order)
    while order:
        count, _, centre = heapq.heappop(order)
        if centre not in left:
            continue
        if (now := -len(waiting[centre] & left)) != count:  # some of its like belong elsewhere by now: it waits longer
            heapq.heappush(order, (now, rank[centre], centre))
            continue
        taken = [centre]
        near = sorted(
            waiting[centre] & left,
            key=lambda other: (
                _SURENESS[alike[centre][other].tier or Tier.SAME_WORDS],
                -alike[centre][other].score,
                other,
            ),
        )
        for other in near:
            if not any(_ordered(other, member) in apart for member in taken):
                taken.append(other)
        left -= set(taken)
        if len(taken) > 1 or (identical and _has_copies(centre, contents, apart)):
            yield _group(taken, contents, alike, apart, identical=identical)


def _rank(memes: list[Meme]) -> tuple[int, float]:
    first = memes[0]
    pixels = (first.width or 0) * (first.height or 0)
    return -pixels, min(meme.first_seen.timestamp() for meme in memes)


def _has_copies(content: str, contents: dict[str, list[Meme]], apart: set[tuple[str, str]]) -> bool:
    return len(contents[content]) > 1 and (content, content) not in apart


def _group(
    taken: list[str], contents: dict[str, list[Meme]], alike: Alike, apart: set[tuple[str, str]], *, identical: bool
) -> Group:
    centre = taken[0]
    members: list[Member] = []
    for content in taken:
        memes = sorted(contents[content], key=lambda meme: (meme.first_seen, meme.id))
        if not identical or (content, content) in apart:
            memes = memes[:1]
        evidence = Evidence(Tier.IDENTICAL) if content == centre else alike[centre][content]
        members.extend(Member(meme, evidence.tier, evidence) for meme in memes)
    members[0] = Member(members[0].meme)
    tiers = [member.tier for member in members if member.tier is not None]
    names = "\n".join(sorted(taken))
    return Group(
        key=hashlib.sha256(names.encode("ascii")).hexdigest()[:16],
        tier=max(tiers, key=lambda tier: _SURENESS[tier]),
        representative=members[0].meme,
        members=tuple(members),
    )


def _ordered(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
