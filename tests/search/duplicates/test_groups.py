"""Groups are stars, never chains; what is settled is never proposed again."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from search.catalogue import Catalogue, MemeRecord, Pair, open_catalogue
from search.duplicates.groups import Group, find_groups
from search.evidence import Evidence, Tier
from search.meme import MediaType
from search.settings import Settings


def _catalogue(folder: Path, files: list[tuple[str, str]], pairs: dict[tuple[str, str], Tier]) -> Catalogue:
    catalogue = open_catalogue(Settings(data=folder))
    for path, content in files:
        catalogue.memes.put(
            MemeRecord(path, "C", content, MediaType.IMAGE, 1, 1, datetime(2024, 1, 1, tzinfo=UTC), "mtime")
        )
    catalogue.pairs.add(
        Pair(one, other, Evidence(tier, covers_one=1.0, covers_other=1.0, differing=0.0))
        for (one, other), tier in pairs.items()
    )
    return catalogue


def _paths(groups: list[Group]) -> list[list[str]]:
    return [[member.meme.path for member in group.members] for group in groups]


def test_a_chain_is_no_group(tmp_path: Path) -> None:
    files = [(f"{content}.png", content) for content in "abcd"]
    chain = {("a", "b"): Tier.SAME, ("b", "c"): Tier.SAME, ("c", "d"): Tier.SAME}
    with _catalogue(tmp_path, files, chain) as catalogue:
        groups = find_groups(catalogue)
    for group in groups:
        center = group.representative.content_hash
        for member in group.members[1:]:
            assert tuple(sorted((center, member.meme.content_hash))) in chain
    assert sorted(map(len, _paths(groups))) in ([3], [2, 2])


def test_the_same_bytes_twice_are_a_group_of_the_surest_tier(tmp_path: Path) -> None:
    files = [("one.png", "a"), ("two.png", "a"), ("three.png", "b"), ("four.png", "c")]
    with _catalogue(tmp_path, files, {("b", "c"): Tier.EDITED}) as catalogue:
        groups = find_groups(catalogue)
        assert [group.tier for group in groups] == [Tier.IDENTICAL, Tier.EDITED]
        assert _paths(groups) == [["one.png", "two.png"], ["three.png", "four.png"]]
        assert groups[0].members[0].evidence is None
        assert groups[0].members[1].evidence == Evidence(Tier.IDENTICAL)
        assert _paths(find_groups(catalogue, settled=[("a", "a"), ("c", "b")])) == []


def test_a_group_is_as_sure_as_its_least_sure_member(tmp_path: Path) -> None:
    files = [(f"{content}.png", content) for content in "abc"]
    with _catalogue(tmp_path, files, {("a", "b"): Tier.SAME, ("a", "c"): Tier.EDITED}) as catalogue:
        (group,) = find_groups(catalogue)
    assert group.tier is Tier.EDITED
    assert [member.tier for member in group.members] == [None, Tier.SAME, Tier.EDITED]


def test_variants_are_found_apart_when_asked_for(tmp_path: Path) -> None:
    files = [(f"{content}.png", content) for content in "abc"]
    with _catalogue(tmp_path, files, {("a", "b"): Tier.SAME, ("b", "c"): Tier.VARIANT}) as catalogue:
        assert _paths(find_groups(catalogue)) == [["a.png", "b.png"]]
        found = find_groups(catalogue, tiers=tuple(Tier))
    assert [group.tier for group in found] == [Tier.SAME, Tier.VARIANT]
    assert sorted(_paths(found)[1]) == ["b.png", "c.png"]


def test_the_key_stays_when_a_file_is_renamed(tmp_path: Path) -> None:
    files = [("a.png", "a"), ("b.png", "b")]
    with _catalogue(tmp_path, files, {("a", "b"): Tier.SAME}) as catalogue:
        before = find_groups(catalogue)[0].key
        catalogue.memes.mark_vanished([catalogue.memes.at("b.png").id])
        assert find_groups(catalogue) == []
        catalogue.memes.put(
            MemeRecord("z.png", "C", "b", MediaType.IMAGE, 1, 1, datetime(2024, 1, 1, tzinfo=UTC), "mtime")
        )
        assert [group.key for group in find_groups(catalogue)] == [before]


NAMES = "abcdefg"
PAIRS = list(combinations(NAMES, 2))


@settings(max_examples=40, deadline=None)
@given(
    tiers=st.dictionaries(st.sampled_from(PAIRS), st.sampled_from(Tier)),
    settled=st.sets(st.sampled_from(PAIRS + [(name, name) for name in NAMES])),
    copies=st.lists(st.sampled_from(NAMES), max_size=4),
)
def test_groups_hold_each_meme_once_by_evidence_and_never_what_is_settled(
    tiers: dict[tuple[str, str], Tier], settled: set[tuple[str, str]], copies: list[str]
) -> None:
    files = [(f"{name}.png", name) for name in NAMES]
    files += [(f"{name} {number}.png", name) for number, name in enumerate(copies)]
    pairs = {pair: tier for pair, tier in tiers.items() if tier is not Tier.IDENTICAL}
    with TemporaryDirectory() as folder, _catalogue(Path(folder), files, pairs) as catalogue:
        turned = [pair[::-1] for pair in settled]
        groups = find_groups(catalogue, settled=turned)
        assert groups == find_groups(catalogue, settled=list(settled))
    seen: set[int] = set()
    for group in groups:
        contents = [member.meme.content_hash for member in group.members]
        for one, other in combinations(contents, 2):
            assert tuple(sorted((one, other))) not in settled
        for content in contents[1:]:
            pair = tuple(sorted((contents[0], content)))
            assert contents[0] == content or pairs[pair].is_duplicate  # type: ignore[index]
        ids = {member.meme.id for member in group.members}
        assert len(ids) == len(group.members) >= 2 and not ids & seen
        seen |= ids
    # Whoever has somebody left to go with is in a group.
    for (one, other), tier in pairs.items():
        if tier.is_duplicate and (one, other) not in settled:
            grouped = {member.meme.content_hash for group in groups for member in group.members}
            assert one in grouped or other in grouped
