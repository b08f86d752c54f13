"""The small CLIP: what is said of scenes, what is held out, and how it is drawn, learnt, stored and read."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from demo.scenes import Scene, draw_scene, random_scene
from demo.small_clip.phrases import (
    ATTRIBUTES,
    UNSEEN,
    UNTRAINED_WORDS,
    codes,
    held_out,
    held_out_scene,
    part,
    training_scene,
    whole,
    wording,
)
from demo.small_clip.pool import SIDE, as_in_a_meme, draw_pool, scene_at
from demo.small_clip.towers import SIDE as SEEN
from demo.small_clip.towers import TEXT_ROW, SmallClip, normalized, save_small_clip
from demo.small_clip.training import PHRASES, TrainingSet, train, training_set
from demo.vocabulary import Action, Color, Expression, Place, Prop, Sky, Subject
from search.encoders.clip_export import load_original, torch_preprocessing
from search.encoders.clip_models import parse_model_spec
from search.encoders.minilm import open_minilm
from tests.support.fakes import HashingTextEncoder

SCENE = Scene(Subject.CAT, Color.ORANGE, Action.READING, Place.KITCHEN, Sky.NIGHT, Expression.SMUG, Prop.CROWN)


def test_training_sees_no_combination_that_is_held_out() -> None:
    random = Random(1)
    assert not any(held_out(training_scene(random)) for _ in range(500))
    assert all(held_out(held_out_scene(random)) for _ in range(100))


def test_every_subject_keeps_some_actions_and_a_colour_for_judgement_and_most_for_training() -> None:
    random = Random(2)
    seen = {(one.subject, one.action) for one in (training_scene(random) for _ in range(9000))}
    for subject in Subject:
        assert 20 <= len({action for who, action in seen if who is subject}) <= 22


def test_training_meets_every_value_of_every_attribute() -> None:
    random = Random(3)
    scenes = [training_scene(random) for _ in range(800)]
    for name, kind in ATTRIBUTES.items():
        assert {getattr(one, name) for one in scenes} == set(kind)


def test_words_held_out_stand_in_no_training_text() -> None:
    random = Random(4)
    said = {wording(value, random) for kind in ATTRIBUTES.values() for value in kind for _ in range(40)}
    for untrained in UNTRAINED_WORDS.values():
        assert not any(untrained.lower() in text.lower().split() or untrained.lower() == text.lower() for text in said)


def test_a_sleeper_has_no_face_and_the_moon_no_weather() -> None:
    asleep = Scene(Subject.CAT, Color.RED, Action.SLEEPING, Place.MOON)
    seen = dict(zip(ATTRIBUTES, codes(asleep), strict=True))
    assert seen["expression"] == seen["sky"] == UNSEEN
    assert not whole(asleep).speaks_of[list(ATTRIBUTES).index("expression")]


def test_a_phrase_speaks_of_what_it_names_and_of_nothing_else() -> None:
    plain = {name: str(getattr(SCENE, name)) for name in ATTRIBUTES}
    random = Random(5)
    for _ in range(300):
        phrase = part(SCENE, random)
        for name, speaks in zip(ATTRIBUTES, phrase.speaks_of, strict=True):
            if plain[name] in phrase.text:
                assert speaks, phrase
            if not speaks:
                assert plain[name] not in phrase.text, phrase


def test_the_caption_is_a_phrase_that_speaks_of_all_that_is_there() -> None:
    assert whole(SCENE).text == SCENE.caption()
    assert all(whole(SCENE).speaks_of)


def test_the_same_seed_draws_the_same_pictures_and_another_does_not(tmp_path: Path) -> None:
    once = draw_pool(tmp_path / "a.npy", scenes=3, seed=1, workers=1)
    again = draw_pool(tmp_path / "b.npy", scenes=3, seed=1, workers=1)
    assert once.shape == (3, SIDE, SIDE, 3)
    np.testing.assert_array_equal(once, again)
    assert scene_at(0, 1) != scene_at(0, 2)


def test_words_are_drawn_over_or_above_a_scene() -> None:
    bare = draw_scene(SCENE, (192, 144)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    drawn = [as_in_a_meme(SCENE, Random(k)) for k in range(30)]
    same = [ImageChops.difference(one, bare).getbbox() is None for one in drawn]
    assert {one.size for one in drawn} == {(SIDE, SIDE)}
    assert 2 <= sum(same) <= 20


def _training_set(count: int) -> TrainingSet:
    random = Random(6)
    scenes = [random_scene(random) for _ in range(count)]
    numbers = np.random.default_rng(6)
    phrases = [[whole(scene), *(part(scene, random) for _ in range(PHRASES - 1))] for scene in scenes]
    # A picture of one colour, and texts' rows that name it: what anything that learns must find.
    colors = numbers.integers(0, 256, (count, 3))
    rows = numbers.normal(size=(count, PHRASES, TEXT_ROW)) / 50
    rows[:, :, :3] += colors[:, None] / 128 - 1
    return TrainingSet(
        np.tile(colors.astype(np.uint8)[:, None, None], (1, SIDE, SIDE, 1)),
        rows.astype(np.float16),
        np.array([[one.speaks_of for one in some] for some in phrases]),
        np.array([codes(scene) for scene in scenes]),
    )


def test_learning_brings_a_picture_and_what_is_said_of_it_together(tmp_path: Path) -> None:
    given = _training_set(16)
    model = train(given, steps=30, batch=8, seed=1, checkpoint=tmp_path / "short.pt", half_precision=False)
    with torch.no_grad():
        pictures = model.picture_rows(_as_seen(given.pictures)).numpy()
        texts = model.text_rows(torch.from_numpy(given.rows[:, 0].astype(np.float32))).numpy()
    similarities = pictures @ texts.T
    others = similarities[~np.eye(16, dtype=bool)]
    assert np.diag(similarities).mean() > others.mean() + 0.15


def test_a_finished_checkpoint_is_taken_as_it_is(tmp_path: Path) -> None:
    given = _training_set(8)
    once = train(given, steps=2, batch=4, seed=1, checkpoint=tmp_path / "two.pt", half_precision=False)
    again = train(given, steps=2, batch=4, seed=9, checkpoint=tmp_path / "two.pt", half_precision=False)
    for name, value in once.state_dict().items():
        torch.testing.assert_close(value, again.state_dict()[name])


def test_lessons_keep_the_texts_rows_in_a_file(tmp_path: Path) -> None:
    pictures = np.zeros((2, SIDE, SIDE, 3), dtype=np.uint8)
    encoder = HashingTextEncoder()
    first = training_set(pictures, encoder, tmp_path / "rows.npy", seed=1)
    np.testing.assert_allclose(
        first.rows[1, 0].astype(np.float32), encoder.encode([scene_at(1, 1).caption()])[0], atol=1e-3
    )
    assert (training_set(pictures, encoder, tmp_path / "rows.npy", seed=1).rows == first.rows).all()


@pytest.fixture(scope="module")
def untrained() -> SmallClip:
    torch.manual_seed(3)
    return SmallClip().eval()


@pytest.mark.real_models
def test_a_stored_model_is_read_as_any_open_clip_folder(
    tmp_path: Path, minilm_models: Path, untrained: SmallClip
) -> None:
    save_small_clip(untrained, tmp_path / "folder")
    # That an export of such a folder agrees with this, the export itself checks: `small_clip_models` is one.
    model, tokenizer, preprocessing = load_original(parse_model_spec(str(tmp_path / "folder")))
    picture = draw_scene(SCENE, (SEEN, SEEN))
    rows = open_minilm(minilm_models, threads=1).encode([SCENE.caption()])
    with torch.no_grad():
        ours = untrained.picture_rows(_as_seen(np.asarray(picture)[None]))
        theirs = model.eval().encode_image(torch_preprocessing(preprocessing)(picture)[None])
        assert torch.cosine_similarity(ours, theirs).item() > 0.999  # half precision costs the rest
        said = untrained.text_rows(torch.from_numpy(rows))
        theirs = model.encode_text(tokenizer([SCENE.caption()]))
        assert torch.cosine_similarity(said, theirs).item() > 0.999


def _as_seen(pictures: np.ndarray) -> torch.Tensor:
    """Return pictures of any size as the tower takes them."""
    sized = [np.asarray(Image.fromarray(one).resize((SEEN, SEEN), Image.Resampling.BICUBIC)) for one in pictures]
    return normalized(torch.from_numpy(np.stack(sized)))


def test_the_folder_says_how_pictures_are_prepared_and_is_small(tmp_path: Path, untrained: SmallClip) -> None:
    save_small_clip(untrained, tmp_path)
    config = json.loads((tmp_path / "open_clip_config.json").read_text("utf-8"))
    assert config["preprocess_cfg"]["size"] == [config["model_cfg"]["vision_cfg"]["image_size"]] * 2
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 12_000_000
