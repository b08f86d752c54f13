"""What looks wrong in a library's categories: planted faults are found, what is right is left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from search.categories.features import Examples, combine_features
from search.categories.issues import Issue, IssueKind, open_issues
from search.categories.library_audit import audit
from search.categories.training import fit
from search.images.fingerprints import LOOK_DIMENSIONS, PDQ_BITS
from search.meme import MediaType, Meme

WORDS = 16
TEMPLATES = 6  # of each category


def meme(id: int, category: str, name: str) -> Meme:
    return Meme(
        id=id,
        path=f"{category}/{name}",
        category=category,
        content_hash=f"{id:064x}",
        size=1,
        type=MediaType.IMAGE,
        first_seen=datetime(2024, 1, 1, tzinfo=UTC),
    )


def library(rows: list[tuple[str, int, str]]) -> tuple[Examples, dict[int, Meme], np.ndarray]:
    """Return memes by their category, template and name: those of one template look and say nearly the same."""
    rng = np.random.default_rng(11)
    looks = rng.standard_normal((100, LOOK_DIMENSIONS))
    words = rng.standard_normal((100, WORDS))
    of = np.array([template for _, template, _ in rows])
    count = len(rows)
    known = Examples(
        np.arange(1, count + 1),
        tuple(f"{id:064x}" for id in range(1, count + 1)),
        tuple(category for category, _, _ in rows),
        combine_features(
            (words[of] + 0.5 * rng.standard_normal((count, WORDS))).astype(np.float32),
            (looks[of] + 0.2 * rng.standard_normal((count, LOOK_DIMENSIONS))).astype(np.float32),
            rng.choice([-1.0, 1.0], (count, PDQ_BITS)).astype(np.float32),
        ),
    )
    return known, {id: meme(id, *rows[id - 1][::2]) for id in range(1, count + 1)}, of


def sound(each: int = 8) -> list[tuple[str, int, str]]:
    """Three categories of six templates, eight memes of each."""
    return [
        (category, TEMPLATES * at + template, f"{template} {number}.png")
        for at, category in enumerate(("Cats", "Dogs", "Work"))
        for template in range(TEMPLATES)
        for number in range(each)
    ]


def found_in(rows: list[tuple[str, int, str]]) -> list[Issue]:
    known, memes, of = library(rows)
    every = np.arange(len(known))
    _, held = fit(known, names={}, duplicates=every, variants=of)
    return audit(known, held, memes, duplicates=every)


def of_kind(found: list[Issue], kind: IssueKind) -> list[Issue]:
    return [one for one in found if one.kind is kind]


def test_a_sound_library_has_nothing_misfiled_confused_or_nearly_empty() -> None:
    found = found_in(sound())
    assert [one for one in found if one.kind is not IssueKind.GROUP] == []


def test_misfiled_memes_are_found_with_where_they_belong_and_what_speaks_for_it() -> None:
    rows = sound()
    planted = {3: "Dogs", 60: "Work", 100: "Cats"}
    for at, category in planted.items():
        rows[at] = (category, *rows[at][1:])
    right = {at: sound()[at][0] for at in planted}
    found = of_kind(found_in(rows), IssueKind.MISFILED)
    assert {int(one.memes[0], 16) - 1: (one.category, one.target) for one in found} == {
        at: (planted[at], right[at]) for at in planted
    }
    for one in found:
        at = int(one.memes[0], 16) - 1
        assert {rows[int(content, 16) - 1][1] for content in one.shown} == {rows[at][1]}, "others of its template"
        assert one.target in one.evidence


def test_two_categories_that_hold_the_same_are_confused() -> None:
    # Felines are cats, put in one folder or the other by chance.
    rng = np.random.default_rng(1)
    rows = [
        ("Felines" if category == "Cats" and rng.random() < 0.5 else category, template, name)
        for category, template, name in sound()
    ]
    [one] = of_kind(found_in(rows), IssueKind.CONFUSED)
    assert {one.category, one.target} == {"Cats", "Felines"}
    assert len(one.memes) == sum(row[0] == one.category for row in rows)


def test_a_category_with_hardly_a_meme_would_go_to_what_it_is_like_or_to_its_parent() -> None:
    rows = [*sound(), ("Strays", 2, "stray.png"), ("Work - Meetings", 90, "a.png"), ("Work - Meetings", 91, "b.png")]
    found = {one.category: one for one in of_kind(found_in(rows), IssueKind.NEAR_EMPTY)}
    assert {name: one.target for name, one in found.items()} == {"Strays": "Cats", "Work - Meetings": "Work"}
    assert "1 meme." in found["Strays"].evidence
    assert len(found["Work - Meetings"].memes) == 2


def test_a_group_that_could_be_a_category_is_found_and_named_by_its_files() -> None:
    # One template fills a third of a category whose other memes are each their own.
    rows = sound(2) + [("Work", 30, f"printer jam {number}.png") for number in range(14)]
    rows += [("Work", 40 + number, f"{number}.png") for number in range(30)]
    found = of_kind(found_in(rows), IssueKind.GROUP)
    group = next(one for one in found if one.category == "Work")
    assert {rows[int(content, 16) - 1][1] for content in group.memes} == {30}
    assert len(group.memes) >= 12
    assert group.target == "Work - printer jam"


def _finding(kind: IssueKind = IssueKind.MISFILED, memes: tuple[str, ...] = ("a",)) -> Issue:
    return Issue(kind, "Cats", "Dogs", memes, "", 1.0)


@pytest.mark.parametrize(
    ("finding", "verdict", "left"),
    [
        (_finding(), ("misfiled: Cats", {"a"}), False),
        (_finding(), ("misfiled: Cats", {"b"}), True),
        (_finding(), ("misfiled: Dogs", {"a"}), True),  # it was moved since, and is asked about in its new place
        (_finding(IssueKind.CONFUSED), ("confused: Cats | Dogs", {"z"}), False),
        (_finding(IssueKind.NEAR_EMPTY), ("near-empty: Cats", {"z"}), False),
        (_finding(IssueKind.GROUP, ("a", "b", "c", "d")), ("group: Cats", {"a", "b", "x"}), False),
        (_finding(IssueKind.GROUP, ("a", "b", "c", "d")), ("group: Cats", {"a", "x"}), True),
    ],
)
def test_what_was_settled_is_not_asked_again(finding: Issue, verdict: tuple[str, set[str]], left: bool) -> None:
    settled = [(verdict[0], frozenset(verdict[1]))]
    assert (list(open_issues([finding], settled)) == [finding]) is left


def test_a_finding_keeps_its_key_whatever_the_order_of_its_memes() -> None:
    assert _finding(memes=("a", "b")).key == _finding(memes=("b", "a")).key
    assert _finding().key != _finding(IssueKind.CONFUSED).key
    assert len(_finding().key) == 16
