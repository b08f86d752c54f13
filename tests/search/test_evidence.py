"""Evidence: in words, as JSON, from the other side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from search.evidence import Edit, Evidence, Tier

SHARES = st.floats(0, 1)
EVIDENCE = st.builds(
    Evidence,
    tier=st.none() | st.sampled_from(Tier),
    edits=st.lists(st.sampled_from(Edit), unique=True).map(tuple),
    pdq=st.none() | st.integers(0, 256),
    matches=st.integers(0, 400),
    covers_one=SHARES,
    covers_other=SHARES,
    differing=st.none() | SHARES,
    strong=SHARES,
    color=st.floats(0, 100),
    text=st.none() | SHARES,
    frames=st.integers(1, 5),
)


@given(EVIDENCE)
def test_json_brings_back_what_was_found(evidence: Evidence) -> None:
    assert Evidence.from_json(evidence.to_json()) == evidence


@given(EVIDENCE)
def test_turned_twice_it_is_the_same_and_as_sure(evidence: Evidence) -> None:
    assert evidence.swapped().swapped() == evidence
    assert evidence.swapped().score == evidence.score
    assert 0 <= evidence.score <= 1


def test_words_say_what_was_measured() -> None:
    found = Evidence(Tier.SAME, pdq=8, covers_one=1.0, covers_other=1.0, differing=0.0, text=0.98)
    assert found.in_words() == "PDQ 8 of 256, aligned, 0 % of tiles differ, text 0.98"


def test_words_say_what_was_done_to_the_picture() -> None:
    found = Evidence(
        Tier.EDITED,
        (Edit.MIRROR, Edit.SCREENSHOT),
        pdq=90,
        matches=120,
        covers_one=1.0,
        covers_other=0.45,
        differing=0.004,
    )
    assert found.in_words() == (
        "PDQ 90 of 256, aligned as a mirror image by 120 keypoints, 45 % of the larger is shared, "
        "under 1 % of tiles differ: screenshot"
    )


def test_words_for_the_same_bytes_and_for_nothing() -> None:
    assert Evidence(Tier.IDENTICAL).in_words() == "the same bytes"
    assert Evidence(None, pdq=130).in_words() == "PDQ 130 of 256, the pictures cannot be aligned"


def test_three_tiers_are_duplicates() -> None:
    assert [tier for tier in Tier if tier.is_duplicate] == [Tier.IDENTICAL, Tier.SAME, Tier.EDITED]
