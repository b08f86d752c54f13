"""The built-in image encoder: exported once from installed weights, two parts in a row, one space for texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from search.encoders import built_in
from search.encoders.built_in import BuiltIn, prepare_built_in
from search.encoders.clip import MANIFEST_FILE, encoder_name, model_folder
from search.encoders.clip_models import BUILT_IN, display_name, parse_model_spec
from search.encoders.clip_prepare import find_prepared
from search.encoders.minilm import DIMENSIONS, open_minilm
from search.encoders.registry import chosen_image_encoder, export_image_encoder, load_image_encoder
from search.errors import ModelUnavailable
from search.settings import Settings

pytestmark = pytest.mark.real_models


def drawn(*, sun: bool) -> Image.Image:
    """Return a picture of a yellow circle on blue, or of a checkerboard."""
    picture = Image.new("RGB", (300, 200), "#4488ff" if sun else "white")
    pen = ImageDraw.Draw(picture)
    if sun:
        pen.ellipse((100, 50, 200, 150), fill="#ffee22")
    else:
        for at in range(0, 60, 2):
            x, y = at % 10 * 30 + (at // 10 % 2) * 30, at // 10 * 33
            pen.rectangle((x, y, x + 30, y + 33), fill="black")
    return picture


@pytest.fixture(scope="module")
def encoder(built_in_models: Path) -> BuiltIn:
    manifest = find_prepared(built_in_models, BUILT_IN)
    assert manifest is not None
    found = load_image_encoder(Settings(data=built_in_models.parent, threads=2), manifest.name)
    assert isinstance(found, BuiltIn)
    return found


def test_a_row_is_what_the_picture_looks_like_beside_its_place_among_texts(
    encoder: BuiltIn, built_in_models: Path
) -> None:
    rows = encoder.encode_images([drawn(sun=True), drawn(sun=False), drawn(sun=True).resize((450, 300))])
    said = encoder.encode_text(["a checkerboard", "кот"])
    assert rows.shape == (3, encoder.dimensions) and said.shape == (2, encoder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
    assert not said[:, :-DIMENSIONS].any()
    embedded = open_minilm(built_in_models, threads=1).encode_queries(["a checkerboard", "кот"])
    np.testing.assert_allclose(said[:, -DIMENSIONS:], embedded, atol=1e-6)
    assert rows[0] @ rows[2] > 0.95 > rows[0] @ rows[1]  # the same at another size; something else
    chances = encoder.probabilities(rows @ said.T)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert encoder.coverage.scripts == {"Latin"}
    assert encoder.encode_images([]).shape == encoder.encode_text([]).shape == (0, encoder.dimensions)


def test_a_thing_that_imagenet_knows_is_found_by_words_for_it(encoder: BuiltIn) -> None:
    light = Image.new("RGB", (300, 400), "#9cc4ee")
    pen = ImageDraw.Draw(light)
    pen.rectangle((145, 260, 160, 400), fill="#444444")
    pen.rounded_rectangle((95, 40, 210, 270), 18, fill="#181818")
    for top, color in ((50, "#ff2200"), (122, "#553300"), (194, "#003311")):
        pen.ellipse((120, top, 185, top + 65), fill=color)
    rows = encoder.encode_images([drawn(sun=True), light, drawn(sun=False)])
    said = encoder.encode_text(["stop and go signals for cars", "a red light at a crossing"])
    assert (rows @ said.T).argmax(axis=0).tolist() == [1, 1]


def test_it_is_exported_once_and_again_when_the_recipe_is_another(
    built_in_models: Path, encoder: BuiltIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def note(module: str, *arguments: str, **more: Any) -> None:
        made.append(module)
        raise built_in.ExportFailed(1, "out of memory")

    monkeypatch.setattr(built_in, "run_exporter", note)
    settings = Settings(data=built_in_models.parent, image_encoder=BUILT_IN)
    assert export_image_encoder(settings) == chosen_image_encoder(settings) == encoder.name and made == []
    monkeypatch.setattr("search.encoders.clip_models.BUILT_IN_RECIPE", "built-in-next")
    assert find_prepared(built_in_models, BUILT_IN) is None and chosen_image_encoder(settings) == ""
    with pytest.raises(ModelUnavailable, match=r"built-in cannot be prepared: out of memory") as raised:
        prepare_built_in(built_in_models)
    assert "pip install" in raised.value.hint and made == ["search.encoders.built_in_export"]


def test_each_runtime_agrees_with_the_network_that_was_exported(encoder: BuiltIn, built_in_models: Path) -> None:
    written = json.loads((model_folder(built_in_models, encoder.name) / MANIFEST_FILE).read_text("utf-8"))
    assert min(written["agreement"].values()) >= 0.999 and "onnxruntime" in written["agreement"]
    assert encoder.name.startswith(encoder_name(BUILT_IN, ""))
    assert parse_model_spec(BUILT_IN).is_local and display_name(BUILT_IN) == BUILT_IN
