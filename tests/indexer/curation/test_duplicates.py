"""Deciding: what is proposed, what a decision does, and that it is never asked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from indexer.curation import duplicates as curating
from indexer.curation.duplicates import Decision, ProposalCache, apply, decide, find_proposal, propose, record_verdict
from indexer.curation.reversal import undo
from indexer.library.scan import scan_library
from indexer.stages.decode import decode_memes
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, ReadingRecord, VerdictKind, open_catalogue
from search.errors import LibraryError, NotFound, WrongUse
from search.evidence import Tier
from search.meme import KeepBy, TextKind
from search.settings import Settings
from search.workspace import Workspace
from tests.support.curating import ALIKE, add_pairs, draw_duplicates

GROUPS = {
    ("identical", frozenset({"Dogs/fine.png", "Cats/fine again.png"})),
    ("same", frozenset({"Cats/monday.png", "Dogs/monday small.jpg"})),
    ("edited", frozenset({"Robots/toaster.png", "Cats/toaster cropped.png"})),
}


@pytest.fixture
def catalogue(tiny_settings: Settings) -> Iterator[Catalogue]:
    draw_duplicates(tiny_settings.library)
    with open_catalogue(tiny_settings) as opened:
        scan_library(tiny_settings.library, opened, progress=SILENT)
        decode_memes(Workspace(tiny_settings, opened), progress=SILENT)
        add_pairs(opened)
        yield opened


def proposed(settings: Settings, catalogue: Catalogue, *tiers: Tier) -> set[tuple[str, frozenset[str]]]:
    found = propose(Workspace(settings, catalogue), tiers=tiers) if tiers else propose(Workspace(settings, catalogue))
    return {(one.group.tier.value, frozenset(meme.path for meme in one.memes)) for one in found}


def of_tier(settings: Settings, catalogue: Catalogue, tier: Tier) -> curating.Proposal:
    return next(one for one in propose(Workspace(settings, catalogue)) if one.group.tier is tier)


def test_duplicates_are_proposed_and_variants_only_when_asked_for(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    assert proposed(tiny_settings, catalogue) == GROUPS
    assert proposed(tiny_settings, catalogue, Tier.VARIANT) == {("variant", frozenset(ALIKE[2][:2]))}


def test_which_one_stays_follows_the_rule_that_is_set(tiny_settings: Settings, catalogue: Catalogue) -> None:
    by_traces = of_tier(tiny_settings, catalogue, Tier.SAME)
    assert by_traces.kept.path == "Cats/monday.png" and "resized" in by_traces.reason
    by_age = of_tier(replace(tiny_settings, keep_rule=(KeepBy.FIRST_SEEN,)), catalogue, Tier.SAME)
    assert by_age.kept.path == "Dogs/monday small.jpg" and "first seen" in by_age.reason
    by_texts = of_tier(replace(tiny_settings, keep_rule=(KeepBy.METADATA,)), catalogue, Tier.SAME)
    assert by_texts.kept.path == "Cats/monday.png" and "texts" in by_texts.reason


@pytest.mark.parametrize("tier", [Tier.IDENTICAL, Tier.SAME, Tier.EDITED])
@pytest.mark.parametrize("decision", Decision)
def test_a_decision_is_never_asked_again_and_its_undo_restores(
    tiny_settings: Settings, catalogue: Catalogue, tier: Tier, decision: Decision
) -> None:
    one = of_tier(tiny_settings, catalogue, tier)
    line = decide(Workspace(tiny_settings, catalogue), decision, kept=one.kept, others=one.memes[1:])
    left = {group for group in GROUPS if group[0] != tier}
    assert proposed(tiny_settings, catalogue) == left
    # Renamed, scanned again: the verdict is on the content, not on the path.
    if decision is not Decision.MERGE:
        (tiny_settings.library / one.kept.path).rename(tiny_settings.library / "Cats/renamed.png")
        scan_library(tiny_settings.library, catalogue, progress=SILENT)
        assert proposed(tiny_settings, catalogue) == left
        (tiny_settings.library / "Cats/renamed.png").rename(tiny_settings.library / one.kept.path)
    undo(Workspace(tiny_settings, catalogue), line.uid)
    scan_library(tiny_settings.library, catalogue, progress=SILENT)
    assert proposed(tiny_settings, catalogue) == GROUPS


def test_a_verdict_outlives_the_comparison_that_proposed_it(tiny_settings: Settings, catalogue: Catalogue) -> None:
    one = of_tier(tiny_settings, catalogue, Tier.SAME)
    decide(Workspace(tiny_settings, catalogue), Decision.DISTINCT, kept=one.kept, others=one.memes[1:])
    # Compared again, by another threshold or model, with another answer.
    pairs = [
        replace(pair, evidence=replace(pair.evidence, tier=Tier.EDITED)) for pair in catalogue.pairs.all(Tier.SAME)
    ]
    catalogue.pairs.add(pairs)
    assert proposed(tiny_settings, catalogue) == {group for group in GROUPS if group[0] != "same"}


def test_a_ledger_carried_elsewhere_settles_the_same(tiny_settings: Settings, catalogue: Catalogue) -> None:
    for one in propose(Workspace(tiny_settings, catalogue)):
        decide(Workspace(tiny_settings, catalogue), Decision.KEEP_ALL, kept=one.kept, others=one.memes[1:])
    other = replace(tiny_settings, data=tiny_settings.data.with_name("other"))
    with open_catalogue(other) as elsewhere:
        scan_library(other.library, elsewhere, progress=SILENT)
        decode_memes(Workspace(other, elsewhere), progress=SILENT)
        add_pairs(elsewhere)
        assert proposed(other, elsewhere) == GROUPS
        elsewhere.verdicts.put(catalogue.verdicts.all())
        assert proposed(other, elsewhere) == set()


def test_duplicate_after_all_proposes_again(tiny_settings: Settings, catalogue: Catalogue) -> None:
    one = of_tier(tiny_settings, catalogue, Tier.SAME)
    record_verdict(catalogue, VerdictKind.DISTINCT, one.memes)
    record_verdict(catalogue, VerdictKind.DUPLICATES, one.memes)
    assert proposed(tiny_settings, catalogue) == GROUPS
    with pytest.raises(WrongUse):
        record_verdict(catalogue, VerdictKind.DISTINCT, one.memes[:1])
    with pytest.raises(WrongUse):
        record_verdict(catalogue, VerdictKind.DISTINCT, [one.kept, one.kept])
    with pytest.raises(WrongUse):
        decide(Workspace(tiny_settings, catalogue), Decision.MERGE, kept=one.kept, others=[])


def test_a_batch_merges_all_but_what_fails_and_says_so(tiny_settings: Settings, catalogue: Catalogue) -> None:
    found = propose(Workspace(tiny_settings, catalogue))
    same = of_tier(tiny_settings, catalogue, Tier.SAME)
    (tiny_settings.library / same.memes[1].path).write_bytes(b"changed meanwhile")
    told = []
    applied = apply(Workspace(tiny_settings, catalogue), found, note="all", on_start=told.append)
    assert told == found
    assert [one.key for one, _ in applied.failed] == [same.key]
    assert isinstance(applied.failed[0][1], LibraryError)
    merged = {tuple(meme.path for meme in one.memes) for one in found if one.key != same.key}
    assert {line.paths for line in applied.verdicts} == merged
    assert applied.left == 0


def test_a_batch_stops_when_its_time_is_over_and_says_how_much_is_left(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    applied = apply(Workspace(tiny_settings, catalogue), propose(Workspace(tiny_settings, catalogue)), seconds=-1)
    assert (applied.verdicts, applied.left) == ((), 3)
    assert proposed(tiny_settings, catalogue) == GROUPS


def test_a_batch_leaves_what_is_unsure_to_the_curator(tiny_settings: Settings, catalogue: Catalogue) -> None:
    found = [
        replace(one, is_sure=one.group.tier is not Tier.SAME) for one in propose(Workspace(tiny_settings, catalogue))
    ]
    unsure = next(one for one in found if not one.is_sure)
    applied = apply(Workspace(tiny_settings, catalogue), found)
    assert (applied.unsure, len(applied.verdicts)) == (1, len(found) - 1)
    assert all((tiny_settings.library / meme.path).exists() for meme in unsure.memes)


def test_variants_are_never_removed(tiny_settings: Settings, catalogue: Catalogue) -> None:
    variants = propose(Workspace(tiny_settings, catalogue), tiers=[Tier.VARIANT])
    with pytest.raises(WrongUse, match="never removed"):
        apply(Workspace(tiny_settings, catalogue), variants)
    assert (tiny_settings.library / "Robots/some words.png").exists()


def test_groups_are_found_anew_only_when_something_has_changed(
    tiny_settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = curating.find_groups
    monkeypatch.setattr(curating, "find_groups", lambda *args, **more: calls.append(1) or real(*args, **more))
    proposals = ProposalCache(Workspace(tiny_settings, catalogue))
    first = proposals.of()
    assert proposals.of() == first and len(calls) == 1
    assert proposals.get(first[0].key) == first[0]
    record_verdict(catalogue, VerdictKind.DISTINCT, first[0].memes)
    assert first[0] not in proposals.of() and len(calls) == 2
    with pytest.raises(NotFound):
        proposals.get(first[0].key)


def test_what_is_kept_is_chosen_anew_only_for_groups_that_changed(
    tiny_settings: Settings, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = []
    real = curating.choose_kept
    monkeypatch.setattr(
        curating, "choose_kept", lambda members, **more: chosen.append(members) or real(members, **more)
    )
    workspace = Workspace(replace(tiny_settings, keep_rule=(KeepBy.METADATA,)), catalogue)
    proposals = ProposalCache(workspace)
    first = proposals.of()
    assert len(chosen) == len(first) > 1
    chosen.clear()
    record_verdict(catalogue, VerdictKind.DISTINCT, first[-1].memes)
    assert proposals.of() == first[:-1] and not chosen
    assert propose(workspace) == first[:-1]
    other = first[1].memes[1]
    for number in range(3):
        catalogue.readings.put(ReadingRecord(other.content_hash, TextKind.SIMPLE, f"model {number}", "A text."))
    chosen.clear()
    assert find_proposal(proposals.of(), first[1].key).kept == other != first[1].kept
    assert len(chosen) == 1


def test_texts_are_counted_as_they_are_listed(tiny_settings: Settings, catalogue: Catalogue) -> None:
    memes = catalogue.memes.everything()
    catalogue.readings.put(ReadingRecord(memes[0].content_hash, TextKind.OCR, "another", "Words."))
    counted = catalogue.texts.counts([meme.id for meme in memes])
    assert counted == {meme.id: len(catalogue.texts.of(meme)) for meme in memes}
    assert len(set(counted.values())) > 1
    assert catalogue.texts.counts([]) == {}


def test_a_group_is_named_by_the_beginning_of_its_key(tiny_settings: Settings, catalogue: Catalogue) -> None:
    found = propose(Workspace(tiny_settings, catalogue))
    for one in found:
        assert find_proposal(found, one.key) == find_proposal(found, one.key[:8]) == one
    for wrong in ("", "zzzz"):
        with pytest.raises(NotFound):
            find_proposal(found, wrong)
    with pytest.raises(WrongUse):
        find_proposal([*found, *found], found[0].key)
