"""Of a GIF and a film, the one that has what the other lost is the source; nothing is told where neither shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from PIL import Image, ImageDraw

from benchmarks.animations import shown_frames, write_film
from search.duplicates.groups import Member
from search.duplicates.keep_rule import choose_kept
from search.duplicates.origin.animations import Moving, with_animation_traces
from search.evidence import Evidence, Tier, Trace
from search.meme import MediaType, Meme
from tests.support.duplicated import scene

SAME = Evidence(Tier.SAME)


def pristine(seeds: range) -> list[Image.Image]:
    """Return colorful frames with sharp edges between colors."""
    frames = []
    for seed in seeds:
        frame = scene(seed).convert("RGB").resize((240, 180))
        draw = ImageDraw.Draw(frame)
        for at, color in enumerate(("red", "lime", "blue", "magenta", "orange")):
            draw.ellipse((11 + 40 * at, 21 + 9 * seed, 51 + 40 * at, 65 + 9 * seed), fill=color)
        frames.append(frame)
    return frames


def as_palette(frames: list[Image.Image], *, dither: bool = True) -> list[Image.Image]:
    way = Image.Dither.FLOYDSTEINBERG if dither else Image.Dither.NONE
    return [frame.quantize(256, dither=way).convert("RGB") for frame in frames]


def as_film(frames: list[Image.Image]) -> list[Image.Image]:
    """Return frames as a film in H.264 shows them."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.mp4"
        write_film(Random(3), frames, file, codec="libx264")
        return shown_frames(file)


def moving(frames: list[Image.Image], *, palette: bool = False, lossless: bool = False) -> Moving:
    return Moving(tuple(frames), len(frames), has_palette=palette, is_lossless=lossless)


@pytest.mark.parametrize("dither", [False, True])
def test_a_film_that_was_made_from_a_gif_has_less_color_and_detail(dither: bool) -> None:
    gif = as_palette(pristine(range(3)), dither=dither)
    found = with_animation_traces(SAME, moving(gif, palette=True), moving(as_film(gif)))
    assert found.made_from == 1 and found.traces_other == (Trace.COMPRESSED,)


def test_a_gif_that_was_made_from_a_film_is_told_by_its_palette_whichever_comes_first() -> None:
    film = as_film(pristine(range(3)))
    gif = [frame.quantize(48).convert("RGB") for frame in film]
    found = with_animation_traces(SAME, moving(film), moving(gif, palette=True))
    assert found.made_from == 1 and found.traces_other == (Trace.PALETTE,)
    assert with_animation_traces(SAME, moving(gif, palette=True), moving(film)) == found.swapped()


def test_the_same_frames_are_equal_pixels_and_other_moments_are_not() -> None:
    gif = as_palette(pristine(range(3)))
    same = with_animation_traces(SAME, moving(gif, palette=True), moving(gif, lossless=True))
    assert same.equal_pixels and not same.traces_one + same.traces_other
    late = with_animation_traces(SAME, moving(gif[:2], palette=True), moving(gif[1:], lossless=True))
    assert not late.equal_pixels


def test_more_frames_of_the_same_pictures_are_not_equal() -> None:
    gif = as_palette(pristine(range(3)))
    longer = replace(moving(gif), frames=9)
    assert not with_animation_traces(SAME, moving(gif), longer).equal_pixels


@pytest.mark.parametrize("palettes", [(True, True), (False, False)])
def test_two_gifs_or_two_films_tell_nothing(palettes: tuple[bool, bool]) -> None:
    frames = pristine(range(2))
    one, other = (
        moving(each, palette=palette) for each, palette in zip((frames, as_film(frames)), palettes, strict=True)
    )
    assert with_animation_traces(SAME, one, other) == SAME


def test_without_colors_nothing_is_told() -> None:
    gray = [frame.convert("L").convert("RGB") for frame in pristine(range(3))]
    gif = as_palette(gray)
    assert with_animation_traces(SAME, moving(gif, palette=True), moving(as_film(gif))).made_from == 0


def test_a_film_whose_colors_are_all_scaled_tells_nothing() -> None:
    film, gif = (
        [Image.blend(frame.convert("L").convert("RGB"), frame, share) for frame in pristine(range(2))]
        for share in (0.5, 0.53)
    )
    assert with_animation_traces(SAME, moving(gif, palette=True), moving(film)).made_from == 0


def test_frames_of_other_moments_are_left_out() -> None:
    gif = as_palette(pristine(range(4)))
    film = as_film(gif)[:3] + as_film(pristine(range(8, 9)))
    found = with_animation_traces(SAME, moving(gif, palette=True), moving(film))
    assert found.made_from == 1


def test_the_larger_of_two_tells_nothing_here() -> None:
    gif = as_palette(pristine(range(2)))
    film = [frame.resize((120, 90)) for frame in gif]
    assert with_animation_traces(SAME, moving(gif, palette=True), moving(film)) == SAME


def test_the_reason_names_the_palette() -> None:
    film, gif = (
        Meme(id, f"C/{name}", "C", f"{id:064}", MediaType.GIF, datetime(2020, 1, 1, tzinfo=UTC), 9_000, 240, 180)
        for id, name in enumerate(("a.mp4", "a.gif"))
    )
    found = Evidence(Tier.SAME, traces_other=(Trace.PALETTE,))
    choice = choose_kept([Member(film), Member(gif, Tier.SAME, found)])
    assert choice.meme is film and choice.is_sure
    assert choice.reason == "the other was made from it: reduced to a palette"
