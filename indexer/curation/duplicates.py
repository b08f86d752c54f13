"""Propose and carry out decisions on groups of duplicates, for pages, API and command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
    """The decisions that the curator can take on a group."""

    MERGE = "merge"
    DISTINCT = "distinct"
    KEEP_ALL = "keep-all"


@dataclass(frozen=True)
class Proposal:
    """An undecided group, the meme to keep, and the reason in words.

    Where `is_sure` is False nothing tells which file was first: a batch leaves the group to the curator.
    """

    group: Group
    kept: Meme
    reason: str
    is_sure: bool = True

    @property
    def key(self) -> str:
        """The group's key, the same for the same contents."""
        return self.group.key

    @property
    def memes(self) -> tuple[Meme, ...]:
        """All memes of the group, the one to keep first."""
        others = (member.meme for member in self.group.members if member.meme != self.kept)
        return (self.kept, *others)


@dataclass(frozen=True)
class BatchResult:
    """The result of a batch: the new lines of the ledger, and the groups that failed with their errors."""

    verdicts: tuple[Verdict, ...]
    failed: tuple[tuple[Proposal, MemeticaError], ...]
    left: int  # groups that were not reached in time
    unsure: int = 0  # groups that were left to the curator, because nothing tells which file was first


def propose(workspace: Workspace, *, tiers: Collection[Tier] = DUPLICATE_TIERS) -> list[Proposal]:
    """Return the undecided groups, most certain tier first, each with the meme to keep.

    >>> [proposal.group.tier.is_duplicate for proposal in propose(workspace)]
    []
    """
    return [one.proposal for one in _choose(workspace, tiers, known={})]


@dataclass(frozen=True)
class _Chosen:
    """A proposal, and the number of texts about each of its memes, by id, when it was chosen."""

    proposal: Proposal
    texts: Mapping[int, int]


def _choose(workspace: Workspace, tiers: Collection[Tier], *, known: Mapping[str, _Chosen]) -> list[_Chosen]:
    """Return the undecided groups; for those that are as they were in `known`, by key, nothing is chosen again."""
    groups = find_groups(workspace.catalogue, tiers=tiers, settled=workspace.catalogue.verdicts.settled())
    texts = workspace.catalogue.texts.counts([member.meme.id for group in groups for member in group.members])
    found = []
    for group in groups:
        own = {member.meme.id: texts[member.meme.id] for member in group.members}
        one = known.get(group.key)
        if one is None or (one.proposal.group, one.texts) != (group, own):
            choice = choose_kept(group.members, rule=workspace.settings.keep_rule, texts=own)
            one = _Chosen(Proposal(group, *choice), own)
        found.append(one)
    return found


class ProposalCache:
    """The current proposals, computed again when the catalogue, the ledger or the compared pairs have changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._found: dict[tuple[Tier, ...], tuple[object, list[Proposal]]] = {}
        self._chosen: dict[tuple[Tier, ...], dict[str, _Chosen]] = {}

    def of(self, *tiers: Tier) -> list[Proposal]:
        """Return the undecided groups of these tiers, by default of all duplicate tiers, most certain first."""
        tiers = tiers or DUPLICATE_TIERS
        with self._lock:
            catalogue = self._workspace.catalogue
            now = (catalogue.revision(), catalogue.verdicts.count(), catalogue.pairs.count())
            stamp, found = self._found.get(tiers, (None, []))
            if stamp != now:
                chosen = _choose(self._workspace, tiers, known=self._chosen.get(tiers, {}))
                found = [one.proposal for one in chosen]
                self._chosen[tiers] = {one.proposal.key: one for one in chosen}
                self._found[tiers] = (now, found)
            return found

    def get(self, key: str, *tiers: Tier) -> Proposal:
        """Return an undecided group by its key; raise NotFound."""
        return find_proposal(self.of(*tiers), key)


def find_proposal(proposals: Iterable[Proposal], key: str) -> Proposal:
    """Return the proposal whose key begins with `key`; raise NotFound without one, WrongUse if it is ambiguous."""
    found = [one for one in proposals if one.key.startswith(key)] if key else []
    if not found:
        raise NotFound(
            f"There is no undecided group {key}.", hint="It may have been decided, or one of its files has changed."
        )
    if len(found) > 1:
        raise WrongUse(f"{len(found)} groups begin with {key}.", hint="Give more characters of the key.")
    return found[0]


def decide(
    workspace: Workspace,
    decision: Decision,
    *,
    kept: Meme,
    others: Sequence[Meme],
    note: str = "",
) -> Verdict:
    """Decide on one meme and others, and return the ledger's line; raise WrongUse, LibraryError or DataFolderError.

    `indexer.curation.undo` undoes it.

    >>> kept, other = workspace.catalogue.memes.everything()[:2]
    >>> decide(workspace, Decision.DISTINCT, kept=kept, others=[other]).kind.value
    'not duplicates'
    """
    if not others:
        raise WrongUse("A decision needs at least two memes.", hint="Choose another meme as well.")
    if decision is Decision.MERGE:
        return merge(workspace, keep=kept, remove=others, note=note)
    return record_verdict(
        workspace.catalogue,
        VerdictKind.DISTINCT if decision is Decision.DISTINCT else VerdictKind.KEEP_ALL,
        [kept, *others],
        note=note,
    )


def record_verdict(catalogue: Catalogue, kind: VerdictKind, memes: Sequence[Meme], *, note: str = "") -> Verdict:
    """Write a verdict about memes to the ledger and return it; no file is changed.

    >>> memes = workspace.catalogue.memes.freshest(2)
    >>> record_verdict(workspace.catalogue, VerdictKind.KEEP_ALL, memes).kind.value
    'keep all'
    """
    if len({meme.id for meme in memes}) < max(2, len(memes)):
        raise WrongUse("A verdict needs at least two memes, each only once.")
    return catalogue.verdicts.add(
        kind, [meme.content_hash for meme in memes], paths=[meme.path for meme in memes], note=note
    )


def apply(
    workspace: Workspace,
    proposals: Sequence[Proposal],
    *,
    note: str = "",
    seconds: float = float("inf"),
    on_start: Callable[[Proposal], None] = lambda proposal: None,
) -> BatchResult:
    """Merge groups as proposed and return the result; a group that fails is recorded and the batch goes on.

    Groups whose proposal is not sure are left as they are. No group is started after `seconds`. `on_start` is called
    before each. Raises WrongUse, before any file is moved, when one of the groups consists of variants.

    >>> apply(workspace, propose(workspace)).failed
    ()
    """
    if not all(one.group.tier.is_duplicate for one in proposals):
        raise WrongUse("Variants are not duplicates: they are never removed.", hint="Decide about them one by one.")
    started = monotonic()
    verdicts: list[Verdict] = []
    failed: list[tuple[Proposal, MemeticaError]] = []
    sure = [one for one in proposals if one.is_sure]
    unsure = len(proposals) - len(sure)
    for place, one in enumerate(sure):
        if monotonic() - started > seconds:
            return BatchResult(tuple(verdicts), tuple(failed), len(sure) - place, unsure)
        on_start(one)
        try:
            verdicts.append(merge(workspace, keep=one.kept, remove=one.memes[1:], note=note))
        except MemeticaError as error:
            failed.append((one, error))
    return BatchResult(tuple(verdicts), tuple(failed), 0, unsure)
