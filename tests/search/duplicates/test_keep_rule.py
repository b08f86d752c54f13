"""Which one is kept, and the reason given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from search.duplicates.groups import Member
from search.duplicates.keep_rule import choose_kept
from search.errors import WrongUse
from search.evidence import Edit, Evidence, Tier, Trace
from search.meme import KeepBy, MediaType, Meme
from search.settings import load_settings


def _member(
    id: int,
    *,
    pixels: tuple[int, int] = (400, 300),
    size: int = 40_000,
    year: int = 2020,
    evidence: Evidence | None = None,
) -> Member:
    meme = Meme(id, f"C/{id}.png", "C", f"{id:064}", MediaType.IMAGE, datetime(year, 1, 1, tzinfo=UTC), size, *pixels)
    return Member(meme, evidence.tier if evidence else None, evidence)


SAME = Evidence(Tier.SAME, covers_one=1.0, covers_other=1.0, differing=0.0)


def test_more_pixels_win_and_the_reason_says_how_many() -> None:
    members = [_member(1), _member(2, pixels=(800, 600), evidence=SAME), _member(3, pixels=(40, 30), evidence=SAME)]
    meme, reason, _ = choose_kept(members)
    assert (meme.id, reason) == (2, "most pixels: 800 × 600, the next 400 × 300")


def test_more_pixels_are_sure_only_of_the_earliest_file_or_beside_a_crop() -> None:
    large = (800, 600)
    assert not choose_kept([_member(1, pixels=large), _member(2, evidence=SAME)]).is_sure
    assert not choose_kept([_member(1, pixels=large, year=2021), _member(2, evidence=SAME)]).is_sure
    assert choose_kept([_member(1, pixels=large, year=2019), _member(2, evidence=SAME)]).is_sure
    cropped = Evidence(Tier.EDITED, (Edit.CROP,), covers_one=0.6, covers_other=1.0, differing=0.0)
    whole = _member(1, pixels=large)
    assert choose_kept([whole, _member(2, evidence=cropped)]) == (
        whole.meme,
        "most pixels: 800 × 600, the next 400 × 300",
        True,
    )
    assert choose_kept([_member(2), replace(whole, evidence=cropped.swapped(), tier=Tier.EDITED)]).is_sure


@pytest.mark.parametrize("trace", [Trace.COMPRESSED, Trace.RESIZED, Trace.GRAIN])
def test_a_crop_is_not_called_the_source_of_what_shows_more(trace: Trace) -> None:
    cropped = Evidence(Tier.EDITED, (Edit.CROP,), covers_one=0.7, covers_other=1.0, differing=0.0, traces_one=(trace,))
    whole, crop = _member(1, pixels=(800, 600)), _member(2, pixels=(800, 420), evidence=cropped)
    assert choose_kept([whole, crop])[::2] == (whole.meme, False)
    first, second = _member(2, pixels=(800, 420)), replace(whole, evidence=cropped.swapped(), tier=Tier.EDITED)
    assert choose_kept([first, second])[::2] == (whole.meme, False)
    agreeing = replace(cropped, traces_one=(), traces_other=(trace,))
    assert choose_kept([whole, replace(crop, evidence=agreeing)])[::2] == (whole.meme, True)
    # In a frame or a screenshot the smaller one is the source.
    framed = replace(cropped, edits=(Edit.SCREENSHOT,), covers_one=1.0, covers_other=0.5, traces_one=())
    framed = replace(framed, traces_other=(trace,))
    smaller = _member(1, pixels=(400, 300))
    assert choose_kept([smaller, _member(2, pixels=(800, 600), evidence=framed)])[::2] == (smaller.meme, True)


def test_pixels_of_a_screenshots_frame_count_for_nothing() -> None:
    framed = Evidence(Tier.EDITED, (Edit.SCREENSHOT,), covers_one=1.0, covers_other=0.4, differing=0.0)
    meme, reason, _ = choose_kept([_member(1, pixels=(640, 480)), _member(2, pixels=(640, 960), evidence=framed)])
    assert meme.id == 1 and "640 × 960 with its frame" in reason
    representative_is_framed = framed.swapped()
    meme, *_ = choose_kept(
        [_member(2, pixels=(640, 960)), _member(1, pixels=(640, 480), evidence=representative_is_framed)]
    )
    assert meme.id == 1


def test_of_as_many_pixels_and_one_date_the_one_without_a_border_is_kept() -> None:
    bordered = Evidence(Tier.EDITED, (Edit.FRAME,), covers_one=1.0, covers_other=0.8, differing=0.0)
    bare = _member(1, pixels=(400, 300))
    framed = _member(0, pixels=(400, 375), size=50_000, evidence=bordered)
    reason = "it has no bar or border, the others have"
    assert choose_kept([bare, framed])[:2] == (bare.meme, reason)
    turned = replace(bare, evidence=bordered.swapped(), tier=Tier.EDITED)
    assert choose_kept([replace(framed, evidence=None, tier=None), turned])[:2] == (bare.meme, reason)
    assert choose_kept([bare, framed], rule=(KeepBy.PIXELS, KeepBy.FIRST_SEEN))[0].id == 0
    # A source whose plain side was cropped off has the same evidence, and an earlier date.
    earlier = _member(0, pixels=(400, 375), size=50_000, year=2010, evidence=bordered)
    assert choose_kept([bare, earlier])[0].id == 0


def test_of_as_many_pixels_the_less_compressed_then_the_oldest_then_the_one_with_texts() -> None:
    assert choose_kept([_member(1), _member(2, size=90_000, year=2019, evidence=SAME)])[0].id == 2
    assert choose_kept([_member(1, year=2020), _member(2, year=2014, evidence=SAME)])[:2] == (
        _member(2, year=2014).meme,
        "first seen: 2014-01-01 00:00, the next 2020-01-01 00:00",
    )
    meme, reason, _ = choose_kept([_member(1), _member(2, evidence=SAME)], texts={1: 1, 2: 3})
    assert (meme.id, reason) == (2, "most texts: 3, the next 1")
    assert choose_kept([_member(2), _member(1, evidence=SAME)])[0].id == 1


def _file(id: int, name: str, *, size: int = 40_000, year: int = 2020, **facts: Any) -> Member:
    member = _member(id, size=size, year=year, evidence=SAME if id > 1 else None)
    return replace(member, meme=replace(member.meme, path=f"C/{name}", codec=name.rpartition(".")[2], **facts))


def test_a_png_of_a_jpeg_is_no_better_for_its_bytes() -> None:
    members = [_file(1, "saved.png", size=280_000, year=2021), _file(2, "source.jpeg", size=50_000, year=2019)]
    meme, reason, _ = choose_kept(members)
    assert (meme.id, reason) == (2, "first seen: 2019-01-01 00:00, the next 2021-01-01 00:00")


@pytest.mark.parametrize(
    ("size", "other", "reason"),
    [(55, "jpeg", "first seen"), (200, "jpeg", "least compressed"), (200, "webp", "first seen")],
)
def test_bytes_a_pixel_count_within_one_codec_by_a_margin(size: int, other: str, reason: str) -> None:
    members = [_file(1, "source.jpeg", size=size * 1000, year=2019), _file(2, f"copy.{other}", size=50_000, year=2021)]
    assert choose_kept(members)[1].startswith(reason)


def test_a_whole_or_a_transparent_file_is_kept_whatever_its_bytes_and_date() -> None:
    cut = _file(1, "cut.jpeg", size=90_000, year=2010, share_decoded=0.7, damage="Its end is missing.")
    assert choose_kept([cut, _file(2, "whole.jpeg")])[1] == "it is whole, the others are damaged"
    flat = _file(1, "flat.jpeg", size=90_000, year=2010)
    members = [flat, _file(2, "sticker.png", transparent=True)]
    assert choose_kept(members)[:2] == (members[1].meme, "it is transparent, the others are not")
    assert choose_kept(members, rule=(KeepBy.FIRST_SEEN,))[0].id == 1


def test_of_damaged_files_the_one_of_which_more_is_there_is_kept() -> None:
    short = _file(1, "short.jpeg", share_decoded=0.5, damage="Its end is missing.")
    longer = _file(2, "longer.jpeg", share_decoded=0.84, damage="Its end is missing.")
    reason = "all are damaged; of this one 84 % is there, of the next 50 %"
    assert choose_kept([short, longer])[:2] == (longer.meme, reason)


def test_dates_within_a_minute_are_told_apart_in_the_reason() -> None:
    later, earlier = _file(1, "later.png"), _file(2, "earlier.webp")
    later = replace(later, meme=replace(later.meme, first_seen=later.meme.first_seen.replace(second=30)))
    assert choose_kept([later, earlier])[1] == "first seen: 2020-01-01 00:00:00, the next 2020-01-01 00:00:30"


def test_the_rule_is_the_curators() -> None:
    members = [_member(1, year=2014), _member(2, pixels=(800, 600), evidence=SAME)]
    assert choose_kept(members, rule=(KeepBy.FIRST_SEEN, KeepBy.PIXELS))[0].id == 1
    assert load_settings({}, environ={"MEMETICA_KEEP_RULE": "first_seen, pixels"}).keep_rule == (
        KeepBy.FIRST_SEEN,
        KeepBy.PIXELS,
    )
    for wrong in ("", "beauty", "pixels pixels"):
        with pytest.raises(WrongUse, match="keep_rule"):
            load_settings({}, environ={"MEMETICA_KEEP_RULE": wrong})


def test_who_is_named_first_has_no_say_between_equals() -> None:
    members = [_member(3), _member(1, evidence=SAME), _member(2, evidence=SAME)]
    assert choose_kept(members)[0] == choose_kept(members[::-1])[0] == _member(1).meme
    with pytest.raises(ValueError, match="no member"):
        choose_kept([])


MADE_FROM = replace(SAME, traces_other=(Trace.COMPRESSED,))  # the second from the first


def test_the_source_is_kept_whatever_the_copys_pixels_bytes_and_date() -> None:
    source, copy = _file(1, "source.jpeg", size=30_000), _file(2, "copy.jpeg", size=90_000, year=2010)
    meme, reason, sure = choose_kept([source, replace(copy, evidence=MADE_FROM)])
    assert (meme.id, reason, sure) == (1, "the other was made from it: it was compressed once more", True)
    # The representative may be the copy.
    turned = replace(source, evidence=MADE_FROM.swapped(), tier=Tier.SAME)
    assert choose_kept([replace(copy, evidence=None), turned]) == (source.meme, reason, True)
    assert choose_kept([source, replace(copy, evidence=MADE_FROM)], rule=(KeepBy.FIRST_SEEN,))[0].id == 2


def test_a_source_of_the_representative_is_unsure_beside_a_file_of_which_nothing_tells() -> None:
    """The third may be the source of both."""
    source = replace(_file(2, "source.jpeg"), evidence=MADE_FROM.swapped())
    unknown = replace(_file(3, "unknown.jpeg"), evidence=SAME)
    meme, reason, sure = choose_kept([_file(1, "large.jpeg"), source, unknown])
    assert (meme.id, reason, sure) == (2, "another was made from it: it was compressed once more", False)
    copy = replace(unknown, evidence=MADE_FROM)
    assert choose_kept([_file(1, "large.jpeg"), source, copy]).is_sure


@pytest.mark.parametrize("trace", Trace)
def test_every_reason_fits_beside_the_key_of_its_group(trace: Trace) -> None:
    copy = replace(_file(2, "copy.jpeg"), evidence=replace(SAME, traces_other=(trace,)))
    reason = choose_kept([_file(1, "source.jpeg"), copy]).reason
    assert "{" not in reason and len(reason) <= 80 - 18  # a key of 16 characters, and two spaces


def test_the_source_of_two_copies_is_kept_and_the_surest_trace_decides() -> None:
    copies = [replace(_file(id, f"{id}.jpeg", year=2010), evidence=MADE_FROM) for id in (2, 3)]
    assert choose_kept([_file(1, "source.jpeg"), *copies])[0].id == 1
    doubtful = replace(SAME, traces_one=(Trace.MARKED,), traces_other=(Trace.COMPRESSED, Trace.GRAIN))
    assert (doubtful.made_from, doubtful.swapped().made_from, SAME.made_from) == (1, -1, 0)
    both = replace(SAME, traces_one=(Trace.MARKED,), traces_other=(Trace.MARKED,))
    assert both.made_from == 0


@pytest.mark.parametrize(
    ("evidence", "kept", "sure"),
    [
        (SAME, "nothing shows which was first: indexed first", False),
        (replace(SAME, equal_pixels=True), "the same pixels in a smaller file", True),
        (Evidence(Tier.IDENTICAL), "the same pixels in a smaller file", True),
    ],
)
def test_without_a_sign_the_choice_is_unsure_unless_nothing_can_be_lost(
    evidence: Evidence, kept: str, sure: bool
) -> None:
    members = [_file(1, "one.png", size=50_000), replace(_file(2, "other.png", size=40_000), evidence=evidence)]
    meme, reason, is_sure = choose_kept(members)
    assert (reason, is_sure, meme.id) == (kept, sure, 2 if evidence.equal_pixels or evidence.tier == "identical" else 1)


def test_more_texts_are_no_sign_of_the_source() -> None:
    assert choose_kept([_file(1, "a.png"), _file(2, "b.png")], texts={1: 1, 2: 3})[::2] == (
        _file(2, "b.png").meme,
        False,
    )


def test_bytes_of_grain_are_no_detail() -> None:
    grainy = replace(SAME, tier=Tier.EDITED, edits=(Edit.DETAIL,))
    members = [_file(1, "clean.jpeg"), replace(_file(2, "grain.jpeg", size=200_000), evidence=grainy)]
    assert choose_kept(members)[2] is False


@pytest.mark.parametrize(
    ("years", "kept", "reason"),
    [
        ((2014, 2014), (1, False), "nothing shows"),
        ((2014, 2016), (1, False), "first seen"),
        ((2016, 2014), (2, True), "least compressed"),
    ],
)
def test_more_bytes_a_pixel_tell_of_the_earliest_file_alone(
    years: tuple[int, int], kept: tuple[int, bool], reason: str
) -> None:
    """Grain and sharpening add bytes, too; those of a later file leave doubt about the date."""
    members = [
        _file(1, "a.jpeg", year=years[0]),
        replace(_file(2, "b.jpeg", size=200_000, year=years[1]), evidence=SAME),
    ]
    choice = choose_kept(members)
    assert (choice.meme.id, choice.is_sure) == kept and choice.reason.startswith(reason)
