"""The demo library: what is drawn is what the truth says, and what a real library holds is in it."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from demo import EXAMPLE_QUERIES, Change, DemoTruth, QueryKind, draw_demo
from demo.descriptions import words_of
from demo.forms import draw_joke
from demo.jokes import Form, Joke, parse_scene, read_bank
from demo.lettering import Lettering, Style, ink_box, set_text
from demo.library import ARTIST
from demo.media import write_meme
from demo.plan import BROKEN_FILES, plan_demo
from demo.random_jokes import random_jokes
from demo.scenes import draw_scene, random_scene
from demo.vocabulary import Action, Color, Expression, Place, Prop, Sky, Subject
from indexer.library.format import MemeFile, scan
from indexer.library.sidecars import read_first_seen, read_sidecar
from indexer.media.decode import decode
from search.errors import UnreadableFile, WrongUse
from search.meme import TextKind

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FEW = 30

Drawn = tuple[Path, DemoTruth]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """A small demo on disk, and its truth."""
    out = tmp_path_factory.mktemp("demo") / "memes"
    return out, draw_demo(out, memes=FEW, now=NOW)


@pytest.fixture(scope="module")
def usual() -> DemoTruth:
    """The truth about the demo of the usual size, which is known before it is drawn."""
    return plan_demo(memes=260, seed=1, now=NOW).truth


def found_in(out: Path) -> dict[str, MemeFile]:
    return {one.path: one for one in scan(out) if isinstance(one, MemeFile)}


# What is drawn


def test_the_same_arguments_give_the_same_plan_and_another_seed_another() -> None:
    one, again, other = (plan_demo(memes=60, seed=seed, now=NOW) for seed in (3, 3, 4))
    assert one == again
    assert one != other


def test_drawing_again_gives_the_same_bytes(drawn: Drawn, tmp_path: Path) -> None:
    out, _ = drawn
    by_ending = {Path(planned.meme.path).suffix: planned for planned in plan_demo(memes=FEW, seed=1, now=NOW).planned}
    for ending in (".jpg", ".png", ".svg", ".gif", ".mp4"):
        planned = by_ending[ending]
        again = tmp_path / f"again{ending}"
        write_meme(planned, again)
        assert again.read_bytes() == (out / planned.meme.path).read_bytes(), ending


def test_the_library_holds_what_the_truth_says_and_nothing_else(drawn: Drawn) -> None:
    out, truth = drawn
    told = (
        {meme.path for meme in truth.memes}
        | {one.path for one in truth.duplicates}
        | {path for path, _ in truth.broken}
    )
    assert set(found_in(out)) == told
    sidecars = {f"{path}.{sidecar.label}" for path, one in found_in(out).items() for sidecar in one.sidecars}
    assert len([file for file in out.rglob("*") if file.is_file()]) >= len(told) + len(sidecars)


def test_sidecars_say_what_the_truth_says(drawn: Drawn) -> None:
    out, truth = drawn
    found = found_in(out)
    for meme in truth.memes:
        texts = {text.kind: text for text in (read_sidecar(out, one) for one in found[meme.path].sidecars)}
        for kind, body in (
            (TextKind.SIMPLE, meme.description),
            (TextKind.DETAILED, meme.analysis),
            (TextKind.OCR, meme.ocr),
        ):
            assert (texts[kind].body.strip() if kind in texts else "") == body.strip()
        assert {text.source for kind, text in texts.items() if kind is not TextKind.OCR} <= {ARTIST}
        assert read_first_seen(out, found[meme.path]) == (meme.first_seen, "sidecar" if meme.dated else "mtime")


def test_broken_files_fail_to_decode_and_all_others_decode(drawn: Drawn) -> None:
    out, truth = drawn
    broken = {path for path, _ in truth.broken}
    assert {path.rpartition("/")[2] for path in broken} == set(BROKEN_FILES)  # as `memetica demo` counts them
    for path, one in found_in(out).items():
        if path in broken:
            with pytest.raises((UnidentifiedImageError, OSError)), Image.open(one.file) as picture:
                picture.load()
            with pytest.raises(UnreadableFile):
                decode(one.file, max_pixels=10**8, max_bytes=10**8)
        else:
            decoded = decode(one.file, max_pixels=10**8, max_bytes=10**8)
            assert decoded.width >= 300 and decoded.height >= 200, path


def test_what_moves_moves(drawn: Drawn) -> None:
    out, truth = drawn
    moving = [meme for meme in truth.memes if meme.frames > 1]
    assert {Path(meme.path).suffix for meme in moving} >= {".gif", ".webp", ".mp4"}
    for meme in moving:
        pictures = decode(out / meme.path, max_pixels=10**8, max_bytes=10**8).pictures
        assert len(pictures) > 1
        first, other = (np.asarray(one.convert("L"), np.int16) for one in pictures[:2])
        assert np.abs(first - other).mean() > 0.1, meme.path


def test_duplicates_are_changed_as_the_truth_says(drawn: Drawn) -> None:
    out, truth = drawn
    assert {one.change for one in truth.duplicates} == set(Change)
    for one in truth.duplicates:
        assert one.path != one.original
        if one.change is Change.COPIED:
            assert (out / one.path).read_bytes() == (out / one.original).read_bytes()
            continue
        with Image.open(out / one.original) as before, Image.open(out / one.path) as after:
            old, new = before.convert("L"), after.convert("L")
        if one.change is Change.CROPPED:
            wide, tall = old.size
            old = old.crop((round(wide * 0.04), round(tall * 0.04), round(wide * 0.96), round(tall * 0.96)))
        elif one.change is Change.MIRRORED:
            old = old.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        elif one.change is Change.BORDERED:
            edge = round(old.width * 0.06)
            new = new.crop((edge, edge, edge + old.width, edge + old.height))
        pair = [np.asarray(picture.resize((64, 64)), np.int16) for picture in (old, new)]
        assert np.abs(pair[0] - pair[1]).mean() < 6, one


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(WrongUse, match="is not empty"):
        draw_demo(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.jpg"]


def test_too_few_memes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="at least 30"):
        draw_demo(tmp_path / "memes", memes=3)
    assert not (tmp_path / "memes").exists()


# What a library of the usual size holds


def test_there_are_many_memes_in_many_categories_some_below_others(usual: DemoTruth) -> None:
    assert len(usual.memes) == 260
    assert len({meme.path.lower() for meme in usual.memes}) == 260
    categories = Counter(meme.category for meme in usual.memes)
    assert len(categories) >= 14 and min(categories.values()) >= 4
    assert {"Work", "Work - Meetings", "Animals - Cats"} <= set(categories)


def test_every_kind_of_picture_is_there(usual: DemoTruth) -> None:
    assert {meme.form for meme in usual.memes} == set(Form)
    endings = Counter(Path(meme.path).suffix for meme in usual.memes)
    assert endings[".gif"] >= 8 and endings[".svg"] == 1 and endings[".mp4"] + endings[".webm"] == 2
    assert endings[".jpg"] > 100 and endings[".png"] > 20 and endings[".webp"] > 20


def test_names_are_as_unruly_as_in_life(usual: DemoTruth) -> None:
    names = " ".join(meme.path.rsplit("/", 1)[1] for meme in usual.memes)
    assert all(sign in names for sign in (" ", "🐸", "~", "é", "кот", "'"))


def test_every_kind_of_text_is_there_for_some_and_missing_for_others(usual: DemoTruth) -> None:
    count = len(usual.memes)
    assert 0.75 < sum(bool(meme.description) for meme in usual.memes) / count < 0.95
    assert 0.2 < sum(bool(meme.analysis) for meme in usual.memes) / count < 0.5
    assert 0.1 < sum(bool(meme.ocr) for meme in usual.memes) / count < 0.3
    assert 0.8 < sum(meme.dated for meme in usual.memes) / count < 0.98


def test_dates_reach_from_2014_to_now_and_some_are_fresh(usual: DemoTruth) -> None:
    dates = sorted(meme.first_seen for meme in usual.memes)
    assert dates[0].year <= 2015 and dates[-1] <= NOW
    assert sum(NOW - date <= timedelta(days=14) for date in dates) >= 10
    assert len({date.year for date in dates}) >= 11
    assert all(one.first_seen <= NOW for one in usual.duplicates)


def test_ten_templates_have_three_captions_each(usual: DemoTruth) -> None:
    told = {meme.path: meme for meme in usual.memes}
    large = [group for group in usual.variants if len(group) >= 3]
    assert len(large) >= 10
    for group in large:
        assert len({told[path].scenes for path in group}) == 1
        assert len({told[path].caption for path in group}) == len(group)


def test_descriptions_quote_the_visible_words(usual: DemoTruth) -> None:
    for meme in usual.memes:
        if meme.description and meme.form is not Form.POST:
            title, *_ = meme.caption.split("\n")
            assert title in meme.description, meme.path


def test_essays_are_long_and_about_their_meme(usual: DemoTruth) -> None:
    for meme in usual.memes:
        if meme.analysis:
            assert 200 <= len(meme.analysis.split()) <= 650, meme.path
            assert meme.analysis.index("## Visual Description") > 20
            assert meme.means in meme.analysis and str(meme.scenes[0].subject) in meme.analysis
            assert "{" not in meme.analysis and " a orange" not in meme.analysis


# Queries with known answers


def test_queries_of_each_kind_have_answers_in_the_library(usual: DemoTruth) -> None:
    paths = {meme.path for meme in usual.memes} | {one.path for one in usual.duplicates}
    queries = usual.queries()
    assert all(count >= 40 for count in Counter(query.kind for query in queries).values())
    assert {query.kind for query in queries} == set(QueryKind)
    for query in queries:
        assert query.relevant and set(query.relevant) <= paths, query


def test_quotations_are_words_that_the_meme_says(usual: DemoTruth) -> None:
    told = {meme.path: meme for meme in usual.memes}
    for query in usual.queries():
        if query.kind is QueryKind.QUOTES:
            said = set("".join(c if c.isalnum() else " " for c in told[query.relevant[0]].caption.lower()).split())
            asked = set("".join(c if c.isalnum() else " " for c in query.text.lower()).split())
            assert asked <= said, query


def test_the_example_queries_are_one_of_each_kind_and_have_answers(usual: DemoTruth) -> None:
    queries = {query.text: query for query in usual.queries()}
    assert [queries[text].kind for text in EXAMPLE_QUERIES] == [*QueryKind]
    described = {meme.path for meme in usual.memes if meme.description}
    assert all(queries[text].relevant[0] in described for text in EXAMPLE_QUERIES)


# Words


@pytest.fixture(scope="module")
def bank() -> tuple[Joke, ...]:
    """Every joke that was written by hand."""
    return read_bank()


def within(inner: tuple[float, ...], outer: tuple[float, ...], slack: float) -> bool:
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )


def test_all_words_fit_their_boxes_and_no_box_lies_on_another(bank: tuple[Joke, ...]) -> None:
    for joke in bank:
        drawing = draw_joke(joke)
        for word in drawing.words:
            set_text(word)  # raises when it does not fit
            turned = word.turn % 180 == 90 or within(word.box, (0, 0, drawing.width, drawing.height), 0)
            assert turned or word.turn, joke
        flat = [word for word in drawing.words if not word.turn]
        for one, other in itertools.combinations(flat, 2):
            wide = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
            tall = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
            assert wide <= 0 or tall <= 0, (joke.lines, one.text, other.text)


def test_the_ink_of_words_stays_within_box_and_picture(bank: tuple[Joke, ...]) -> None:
    for joke in bank[::11]:
        drawing = draw_joke(joke)
        for word in drawing.words:
            ink = ink_box(word)
            assert within(ink, (0, 0, drawing.width, drawing.height), 0), (joke.lines, word.text, ink)
            if not word.turn:
                assert within(ink, word.box, 1.5), (word, ink)


def test_a_text_too_long_for_its_box_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        set_text(Lettering("word " * 60, (0, 0, 120, 40), Style.PLAIN))


def test_all_words_can_be_written_in_the_typeface(bank: tuple[Joke, ...]) -> None:
    jokes = [*bank, *itertools.islice(random_jokes(Random(2)), 200)]
    letters = set("".join(line for joke in jokes for line in words_of(joke)))
    assert letters <= set(map(chr, range(32, 127))) | set("“”‘’…°"), "Pillow's typeface has no such letter"


# Scenes without end


def test_scenes_name_every_attribute_in_their_caption() -> None:
    random = Random(5)
    for _ in range(300):
        scene = random_scene(random)
        caption = scene.caption()
        assert caption[0].isupper() and caption.endswith(".")
        for word in (scene.subject, scene.color, scene.action, scene.place, scene.prop):
            assert str(word) in caption.lower(), (word, caption)
        assert str(scene.expression) in caption.lower() or scene.action is Action.SLEEPING


def test_every_attribute_is_drawn_at_random_sooner_or_later() -> None:
    random = Random(6)
    scenes = [random_scene(random) for _ in range(1500)]
    assert {scene.subject for scene in scenes} == set(Subject)
    assert {scene.color for scene in scenes} == set(Color)
    assert {scene.action for scene in scenes} == set(Action)
    assert {scene.place for scene in scenes} == set(Place)
    assert {scene.sky for scene in scenes} == set(Sky)
    assert {scene.prop for scene in scenes} == set(Prop)
    assert {scene.expression for scene in scenes} == set(Expression)


@pytest.mark.parametrize("attribute", ["subject", "color", "action", "place", "sky", "prop", "expression"])
def test_changing_one_attribute_changes_the_picture(attribute: str) -> None:
    scene = parse_scene("cat orange waving park day happy")
    others = {
        "subject": Subject.ROBOT,
        "color": Color.BLUE,
        "action": Action.GUITAR,
        "place": Place.BEACH,
        "sky": Sky.NIGHT,
        "prop": Prop.CROWN,
        "expression": Expression.ANGRY,
    }
    size = (160, 120)
    before = np.asarray(draw_scene(scene, size), np.int16)
    after = np.asarray(draw_scene(replace(scene, **{attribute: others[attribute]}), size), np.int16)
    assert before.shape == (120, 160, 3)
    assert np.abs(before - after).mean() > 0.2


def test_an_unknown_word_in_a_scene_is_an_error() -> None:
    with pytest.raises(ValueError, match="'hamster'"):
        parse_scene("hamster orange waving park")


def test_jokes_over_random_scenes_never_end_and_fit() -> None:
    for joke in itertools.islice(random_jokes(Random(9)), 150):
        assert [set_text(word).size for word in draw_joke(joke).words]
