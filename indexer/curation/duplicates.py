"""What the curator does about duplicates: look, decide, take back; the same for page, API and command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

from indexer.curation.merges import merge
from search.catalogue import Catalogue, Verdict, VerdictKind
from search.duplicates.groups import DUPLICATE_TIERS, Group, find_groups
from search.duplicates.keep_rule import choose_kept
from search.errors import MemeticaError, NotFound, WrongUse
from search.evidence import Tier
from search.meme import Meme
from search.workspace import Workspace


class Decision(StrEnum):
    """What can be decided about a group."""

    MERGE = "merge"
    DISTINCT = "distinct"
    KEEP_ALL = "keep-all"


@dataclass(frozen=True)
class Proposal:
    """A group to decide on, which of its memes would stay, and why, in words."""

    group: Group
    kept: Meme
    reason: str

    @property
    def key(self) -> str:
        """The group's name, the same as long as its contents are."""
        return self.group.key

    @property
    def memes(self) -> tuple[Meme, ...]:
        """Every meme of the group, the one that would stay first."""
        others = (member.meme for member in self.group.members if member.meme != self.kept)
        return (self.kept, *others)


@dataclass(frozen=True)
class Applied:
    """What a batch did: the ledger's new lines, what failed and why, and how many groups it had no time for."""

    verdicts: tuple[Verdict, ...]
    failed: tuple[tuple[Proposal, MemeticaError], ...]
    left: int


def propose(workspace: Workspace, *, tiers: Collection[Tier] = DUPLICATE_TIERS) -> list[Proposal]:
    """Return the groups that have not been decided on, the surest first."""
    groups = find_groups(workspace.catalogue, tiers=tiers, settled=workspace.catalogue.verdicts.settled())
    return [Proposal(group, *_kept(workspace, group)) for group in groups]


def _kept(workspace: Workspace, group: Group) -> tuple[Meme, str]:
    return choose_kept(group.members, rule=workspace.settings.keep_rule, texts=_TextCounts(workspace.catalogue, group))


class _TextCounts(Mapping[int, int]):
    """How many texts there are about each meme of a group, counted when the rule comes to ask for it."""

    def __init__(self, catalogue: Catalogue, group: Group) -> None:
        self._texts = catalogue.texts
        self._memes = {member.meme.id: member.meme for member in group.members}

    def __getitem__(self, id: int) -> int:
        return len(self._texts.of(self._memes[id]))

    def __iter__(self) -> Iterator[int]:
        return iter(self._memes)

    def __len__(self) -> int:
        return len(self._memes)


class Proposals:
    """Proposals as they are now, found anew when the catalogue, the ledger or the compared pairs have changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._found: dict[tuple[Tier, ...], tuple[object, list[Proposal]]] = {}

    def of(self, *tiers: Tier) -> list[Proposal]:
        """Return the groups in some tiers, or in all that are duplicates, the surest first."""
        tiers = tiers or DUPLICATE_TIERS
        with self._lock:
            catalogue = self._workspace.catalogue
            now = (catalogue.revision(), catalogue.verdicts.count(), catalogue.pairs.count())
            stamp, found = self._found.get(tiers, (None, []))
            if stamp != now:
                found = propose(self._workspace, tiers=tiers)
                self._found[tiers] = (now, found)
            return found

    def get(self, key: str, *tiers: Tier) -> Proposal:
        """Return a group by its key; raise NotFound when it has been decided on or has changed."""
        return named(self.of(*tiers), key)


def named(proposals: Iterable[Proposal], key: str) -> Proposal:
    """Return the group that a key, or its beginning, names; raise NotFound, or WrongUse when it names several."""
    found = [one for one in proposals if one.key.startswith(key)] if key else []
    if not found:
        raise NotFound(
            f"There is no group {key} to decide on.", hint="It may have been decided, or a file of it has changed."
        )
    if len(found) > 1:
        raise WrongUse(f"{key} begins the names of {len(found)} groups.", hint="Give more of its letters.")
    return found[0]


def decide(
    workspace: Workspace,
    decision: Decision,
    *,
    kept: Meme,
    others: Sequence[Meme],
    note: str = "",
) -> Verdict:
    """Decide about one meme and others, and return the ledger's line; raise WrongUse, LibraryError, DataFolderError."""
    if not others:
        raise WrongUse("There is nothing to decide about one meme alone.", hint="Choose another beside it.")
    if decision is Decision.MERGE:
        return merge(workspace, keep=kept, remove=others, note=note)
    return declare(
        workspace.catalogue,
        VerdictKind.DISTINCT if decision is Decision.DISTINCT else VerdictKind.KEEP_ALL,
        [kept, *others],
        note=note,
    )


def declare(catalogue: Catalogue, kind: VerdictKind, memes: Sequence[Meme], *, note: str = "") -> Verdict:
    """Write a verdict about memes to the ledger and return it; no file is touched."""
    if len({meme.id for meme in memes}) < max(2, len(memes)):
        raise WrongUse("A verdict is about two memes or more, each named once.")
    return catalogue.verdicts.add(
        kind, [meme.content_hash for meme in memes], paths=[meme.path for meme in memes], note=note
    )


def apply(
    workspace: Workspace,
    proposals: Sequence[Proposal],
    *,
    note: str = "",
    seconds: float = float("inf"),
    told: Callable[[Proposal], None] = lambda proposal: None,
) -> Applied:
    """Merge group after group as proposed; one that fails is reported and the batch goes on, until time runs out.

    Raises WrongUse, before anything is moved, when one of the groups holds variants.
    """
    if not all(one.group.tier.is_duplicate for one in proposals):
        raise WrongUse("Variants are not duplicates: they are never removed.")
    begun = monotonic()
    verdicts: list[Verdict] = []
    failed: list[tuple[Proposal, MemeticaError]] = []
    for place, one in enumerate(proposals):
        if monotonic() - begun > seconds:
            return Applied(tuple(verdicts), tuple(failed), len(proposals) - place)
        told(one)
        try:
            verdicts.append(merge(workspace, keep=one.kept, remove=one.memes[1:], note=note))
        except MemeticaError as error:
            failed.append((one, error))
    return Applied(tuple(verdicts), tuple(failed), 0)
