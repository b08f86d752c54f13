"""Image encoders: made ready from checkpoints of ours, run without torch, searched by, changed, missing, damaged."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demo.scenes import Scene, draw_scene, random_scene
from demo.small_clip.phrases import held_out_scene
from demo.vocabulary import Action, Color, Expression, Place, Prop, Sky, Subject
from indexer.inbox.examiner import embed_frames, tag_by_category_names
from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, open_catalogue
from search.duplicates.candidates import Signature, open_candidates
from search.encoders import clip_prepare as making
from search.encoders.clip import Clip, load_clip, model_folder
from search.encoders.clip_models import (
    KNOWN_MODELS,
    SHIPPED,
    SMALL,
    SMALL_RECIPE,
    display_name,
    local_weights,
    parse_model_spec,
)
from search.encoders.clip_prepare import find_prepared, prepare_clip
from search.encoders.clip_preprocess import ImagePreprocessing, cleaned
from search.encoders.export_process import UNFINISHED, install_model
from search.encoders.zero_shot import classify_zero_shot
from search.errors import ModelUnavailable, WrongUse
from search.index.generations import live_image_encoder
from search.index.local import LocalIndex
from search.index.reader import open_picture_vectors
from search.meme import Field
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.exporting import run_here
from tests.support.fakes import HashingTextEncoder

TINY: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
TEXTS = (
    "a cat",
    "Don't PANIC: it’s 42 degrees &amp; raining",
    "Кот 😂🔥",
    "",
    "word " * 60,
    "snake_case, un-believable!",
)


def pictures(count: int = 3) -> list[Image.Image]:
    random = np.random.default_rng(5)
    sizes = [(90, 60), (33, 200), (224, 224), (20, 20)]
    return [
        Image.fromarray(random.integers(0, 256, (7, 5, 3), dtype=np.uint8)).resize(sizes[at % 4]) for at in range(count)
    ]


def write_checkpoint(folder: Path, *, seed: int = 0, preprocessing: dict[str, Any] | None = None, **more: Any) -> Path:
    """Write a tiny open_clip model of random weights as a folder."""
    import torch

    from search.encoders.minilm_export import declare_torchvision_operators

    declare_torchvision_operators()
    from open_clip.model import CLIP, CustomTextCLIP
    from safetensors.torch import save_file

    config = {**TINY, **more}
    text = dict(config["text_cfg"])
    kwargs = text.pop("tokenizer_kwargs", None)
    torch.manual_seed(seed)
    kind = CustomTextCLIP if config.get("custom_text") else CLIP
    model = kind(**{**{k: v for k, v in config.items() if k != "custom_text"}, "text_cfg": text})
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    if kwargs:
        config["text_cfg"] = {**text, "tokenizer_kwargs": kwargs}
    written = {"model_cfg": config, "preprocess_cfg": preprocessing or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    return folder


def original(folder: Path) -> tuple[Any, Any, Any]:
    """Return open_clip's own model, preprocessing and tokenizer of a folder."""
    from search.encoders.minilm_export import declare_torchvision_operators

    declare_torchvision_operators()
    import open_clip

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    return model.eval(), transform, open_clip.get_tokenizer(f"local-dir:{folder}")


def agrees_with_original(clip: Clip, folder: Path) -> None:
    import torch

    model, transform, tokenizer = original(folder)
    with torch.no_grad():
        seen = torch.nn.functional.normalize(model.encode_image(torch.stack([transform(one) for one in pictures(4)])))
        said = torch.nn.functional.normalize(model.encode_text(tokenizer(list(TEXTS))))
    assert (clip.encode_images(pictures(4)) * seen.numpy()).sum(axis=1).min() > 0.999
    assert (clip.encode_text(TEXTS) * said.numpy()).sum(axis=1).min() > 0.999


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny") / "clip")


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """A folder of models with a tiny CLIP of random weights."""
    models = tmp_path_factory.mktemp("models")
    prepare_clip(models, str(tiny_folder), threads=1)
    return models


@pytest.fixture
def exports_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exporters run in this process: each of its own imports torch and open_clip, which takes longer than the export.

    That they run in a process of their own, `tiny_models` and the tests of `run_exporter` prove.
    """
    monkeypatch.setattr(making, "run_exporter", run_here)


@pytest.mark.real_models
def test_a_folder_is_made_ready_and_agrees_with_open_clip(tiny_models: Path, tiny_folder: Path) -> None:
    manifest = find_prepared(tiny_models, str(tiny_folder))
    assert manifest is not None and manifest.dimensions == 32 and manifest.bias is None
    clip = load_clip(tiny_models, manifest.name, threads=1)
    agrees_with_original(clip, tiny_folder)
    rows = clip.encode_images(pictures(20))
    assert rows.shape == (20, 32) and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(clip.probabilities(rows @ clip.encode_text(TEXTS).T).sum(axis=1), 1, atol=1e-5)
    assert clip.encode_images([]).shape == clip.encode_text([]).shape == (0, 32)


@pytest.mark.real_models
def test_what_is_ready_is_not_made_again_and_what_is_damaged_is(
    tiny_models: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: Any, **more: Any) -> None:
        raise AssertionError("made again")

    manifest = find_prepared(tiny_models, str(tiny_folder))
    assert manifest is not None
    with monkeypatch.context() as patch:
        patch.setattr(making, "_export", never)
        assert prepare_clip(tiny_models, str(tiny_folder)).name == manifest.name
        image = model_folder(tiny_models, manifest.name) / "image.onnx"
        kept = image.read_bytes()
        image.write_bytes(kept[:-7])
        assert find_prepared(tiny_models, str(tiny_folder)) is None
        with pytest.raises(AssertionError, match="made again"):
            prepare_clip(tiny_models, str(tiny_folder))
        image.write_bytes(b"x" * len(kept))
        clip = load_clip(tiny_models, manifest.name)
        with pytest.raises(ModelUnavailable, match="damaged"):
            clip.encode_images(pictures())
        image.write_bytes(kept)


@pytest.mark.real_models
@pytest.mark.usefixtures("exports_here")
def test_a_sigmoid_model_keeps_its_bias_and_its_way_with_texts_and_pictures(tmp_path: Path) -> None:
    text = {**TINY["text_cfg"], "tokenizer_kwargs": {"clean": "canonicalize"}}
    preprocessing = {"resize_mode": "longest", "mean": [0.5] * 3, "std": [0.5] * 3, "fill_color": 127}
    folder = write_checkpoint(
        tmp_path / "clip", preprocessing=preprocessing, custom_text=True, init_logit_bias=-10.0, text_cfg=text
    )
    manifest = prepare_clip(tmp_path / "models", str(folder), threads=1)
    assert manifest.bias == -10 and manifest.text.clean == "canonicalize"
    clip = load_clip(tmp_path / "models", manifest.name, threads=1)
    agrees_with_original(clip, folder)
    products = np.array([[0.5, -0.5]], np.float32)
    logits = manifest.scale * products - 10
    np.testing.assert_allclose(clip.probabilities(products), 1 / (1 + np.exp(-logits)), rtol=1e-4)


@pytest.mark.real_models
@pytest.mark.usefixtures("exports_here")
def test_a_name_with_a_checkpoint_is_that_model_with_those_weights(tmp_path: Path) -> None:
    import torch

    from search.encoders.minilm_export import declare_torchvision_operators

    declare_torchvision_operators()
    import open_clip

    config = tmp_path / "tiny-of-ours.json"  # open_clip's own models are larger and tell no more
    config.write_text(json.dumps(TINY))
    open_clip.add_model_config(config)
    torch.manual_seed(3)
    file = tmp_path / "weights.pt"
    original = open_clip.create_model("tiny-of-ours").eval()
    torch.save(original.state_dict(), file)
    manifest = prepare_clip(tmp_path / "models", f"tiny-of-ours@{file}", threads=2)
    assert manifest.dimensions == 32 and manifest.picture.size == (32, 32)
    seen = torch.from_numpy(np.stack([manifest.picture(one) for one in pictures(4)]))
    with torch.no_grad():
        expected = torch.nn.functional.normalize(original.encode_image(seen)).numpy()
    file.write_bytes(b"no checkpoint")
    assert find_prepared(tmp_path / "models", f"tiny-of-ours@{file}") is None
    with pytest.raises(ModelUnavailable, match=r"cannot be (prepared|loaded)"):
        prepare_clip(tmp_path / "models", f"tiny-of-ours@{file}")
    found = load_clip(tmp_path / "models", manifest.name).encode_images(pictures(4))
    assert (found * expected).sum(axis=1).min() > 0.999


@pytest.mark.real_models
@pytest.mark.usefixtures("exports_here")
def test_other_weights_have_another_name(tmp_path: Path, tiny_models: Path, tiny_folder: Path) -> None:
    other = write_checkpoint(tmp_path / "clip", seed=9)
    manifest, known = prepare_clip(tmp_path / "models", str(other)), find_prepared(tiny_models, str(tiny_folder))
    assert known is not None
    assert manifest.name.rpartition("#")[2] != known.name.rpartition("#")[2]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(("environ", "says"), [("", "does not answer"), ("1", "HF_HUB_OFFLINE keeps")])
def test_a_hub_that_cannot_be_asked_is_found_out_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool, environ: str, says: str
) -> None:
    ran: list[str] = []
    files = '[{"repository": "o/r", "names": ["w"], "required": true}]'

    def listed(command: list[str], **given: Any) -> Any:
        ran.append(command[3])
        return subprocess.CompletedProcess(command, 0, stdout=files)

    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", environ)
    monkeypatch.setattr("search.encoders.export_process.subprocess.run", listed)
    if cached:
        (tmp_path / "hub" / "hub" / "models--other--model").mkdir(parents=True)
    with pytest.raises(ModelUnavailable, match=says) as raised:
        prepare_clip(tmp_path / "models", "ViT-B-32/laion2b_s34b_b79k")
    assert "laion2b_s34b_b79k are not on this machine" in raised.value.message
    assert "search by words" in raised.value.hint and "ViT-B-32@" in raised.value.hint
    # Torch is imported only where the hub's cache may have the model.
    assert ran == (["search.encoders.clip_files"] if cached else [])


@pytest.mark.real_models
@pytest.mark.parametrize(
    ("spec", "weights", "tokenizers"),
    [
        ("ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", set()),
        ("ViT-B-32-SigLIP2-256/webli", "timm/ViT-B-32-SigLIP2-256", {"timm/ViT-B-32-SigLIP2-256"}),
        (
            "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k",
            "laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k",
            {"xlm-roberta-base"},
        ),
    ],
)
def test_the_files_of_a_model_are_its_weights_and_the_tokenizer_that_is_not_installed(
    spec: str, weights: str, tokenizers: set[str]
) -> None:
    from search.encoders.clip_files import files_of

    first, *others = files_of(spec) or []
    assert (first.repository, first.names[0], first.required) == (weights, "open_clip_model.safetensors", True)
    assert {one.repository for one in others} == tokenizers and not any(one.required for one in others)


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    killed, running = tmp_path / f"{UNFINISHED}999999999-x", tmp_path / f"{UNFINISHED}{os.getpid()}-y"
    killed.mkdir()
    running.mkdir()

    def make(folder: Path) -> Path:
        (folder / "file").write_text("made")
        return tmp_path / "model"

    assert (install_model(tmp_path, make) / "file").read_text() == "made"
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([running.name, "model"])


@pytest.mark.parametrize("spec", ["", "ViT-B-32", "a/b/c", "ViT-B-32@/no/such/file.pt", "@file"])
def test_what_names_nothing_is_refused(spec: str) -> None:
    with pytest.raises(WrongUse):
        parse_model_spec(spec)


@pytest.mark.parametrize(
    ("spec", "title"),
    [
        ("ViT-B-32/laion2b_s34b_b79k", "ViT-B-32/laion2b_s34b_b79k"),
        ("ViT-B-32@/home/ann/secret/weights.pt", "ViT-B-32, weights.pt"),
        ("/home/ann/models/mine", "mine"),
        (SMALL, SMALL),
        ("", ""),
    ],
)
def test_visitors_see_no_path_of_the_machine(spec: str, title: str) -> None:
    assert display_name(spec) == title


@pytest.mark.real_models
@pytest.mark.usefixtures("exports_here")
@pytest.mark.parametrize(
    ("spec", "said"), [("ViT-B-99/openai", "no model"), ("ViT-B-32/laion_of_mine", "laion2b_s34b_b79k")]
)
def test_a_model_or_a_tag_that_open_clip_does_not_know_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, said: str
) -> None:
    monkeypatch.setattr(making, "_check_hub", lambda source: None)
    with pytest.raises(WrongUse, match=said):
        prepare_clip(tmp_path, spec)


def test_every_choice_names_something_and_the_shipped_weights_are_small() -> None:
    assert {parse_model_spec(one.spec).spec for one in KNOWN_MODELS} == {one.spec for one in KNOWN_MODELS}
    assert parse_model_spec(SMALL).folder == SHIPPED
    # Exports are known by the recipe, wherever the package is installed: other weights need another one.
    digest = hashlib.sha256((SHIPPED / "open_clip_model.safetensors").read_bytes()).hexdigest()
    assert (SMALL_RECIPE, digest[:16]) == ("small-clip-1", "88ca8d81a96b040a")
    assert local_weights(parse_model_spec(SMALL)) == {}
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 12_000_000
    assert "not for photographs" in (SHIPPED / "README.md").read_text("utf-8")


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", [(100, 40), (40, 100), (64, 64), (7, 300), (5, 5)])
def test_a_prepared_picture_has_the_models_size(mode: str, size: tuple[int, int]) -> None:
    preparing = ImagePreprocessing((48, 48), (0.5,) * 3, (0.5,) * 3, "bicubic", mode, 0)
    found = preparing(Image.new("RGB", size, "white"))
    assert found.shape == (3, 48, 48) and found.dtype == np.float32
    assert found.max() == pytest.approx(1)


def test_texts_are_cleaned_as_the_tokenizer_was_taught() -> None:
    assert cleaned("  Tom &amp; Jerry\n", "lower") == "tom & jerry"
    assert cleaned("Snake_Case, yes!", "canonicalize") == "snake case yes"
    assert cleaned("Two  WORDS \ud800", "whitespace") == "Two WORDS ?"


@pytest.fixture(scope="module")
def small_clip_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models in which the small CLIP is ready."""
    models = tmp_path_factory.mktemp("small-clip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "run_exporter", run_here)
        prepare_clip(models, SMALL, threads=2)
    return models


@pytest.fixture(scope="module")
def small(small_clip_models: Path) -> Clip:
    manifest = find_prepared(small_clip_models, SMALL)
    assert manifest is not None
    return load_clip(small_clip_models, manifest.name, threads=2)


@pytest.mark.real_models
def test_the_small_clip_finds_scenes_that_it_never_saw(small: Clip) -> None:
    random = Random(31)
    scenes = [held_out_scene(random) for _ in range(100)]
    seen = small.encode_images([draw_scene(scene, (320, 240)) for scene in scenes])
    products = small.encode_text([scene.caption() for scene in scenes]) @ seen.T
    rank = (products > np.diag(products)[:, None]).sum(axis=1)
    assert (rank == 0).mean() >= 0.9 and (rank < 5).mean() >= 0.97
    names = [str(place) for place in Place]
    told = [classify_zero_shot(small, row[None], names, count=1)[0] for row in seen]
    right = np.mean([name == str(scene.place) for (name, _), scene in zip(told, scenes, strict=True)])
    assert right >= 0.7  # of 18 places
    assert sum(share for _, share in classify_zero_shot(small, seen[:1], names, count=len(names))) == pytest.approx(
        1, abs=1e-4
    )


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, small_clip_models: Path) -> Iterator[tuple[Settings, Catalogue]]:
    """A library of drawn scenes of which nothing is written, seen by the small CLIP."""
    folder = tmp_path_factory.mktemp("seen")
    settings = Settings(
        library=folder / "memes",
        data=folder / "data",
        ocr_engine="none",
        text_encoder=HashingTextEncoder.name,
        image_encoder=SMALL,
        threads=2,
    )
    settings.data.mkdir()
    shutil.copytree(small_clip_models, settings.data / "models")
    random = Random(8)
    for at, scene in enumerate(SCENES + tuple(random_scene(random) for _ in range(12))):
        file = settings.library / scene.place.name.replace("_", " ").capitalize() / f"{at}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        draw_scene(scene, (400, 300)).save(file)
    with open_catalogue(settings) as catalogue:
        index_library(Workspace(settings, catalogue), progress=SILENT, load_encoder=lambda _: HashingTextEncoder())
        yield settings, catalogue


SCENES = (
    Scene(Subject.CAT, Color.ORANGE, Action.READING, Place.KITCHEN, Sky.DAY, Expression.HAPPY, Prop.NONE),
    Scene(Subject.ROBOT, Color.BLUE, Action.GUITAR, Place.BEACH, Sky.SUNSET, Expression.HAPPY, Prop.NONE),
    Scene(Subject.ROBOT, Color.BLUE, Action.GUITAR, Place.FOREST, Sky.SNOW, Expression.HAPPY, Prop.NONE),
    Scene(Subject.FROG, Color.GREEN, Action.SLEEPING, Place.MOON, Sky.NIGHT, Expression.SAD, Prop.NONE),
)


def seeing(settings: Settings, catalogue: Catalogue) -> Searcher:
    return Searcher(
        Workspace(settings, catalogue),
        index=LocalIndex.open(settings.data / "index"),
        text_encoder=HashingTextEncoder(),
    )


@pytest.mark.real_models
@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("an orange cat with a book", 0),
        ("a blue robot with a guitar at sunset", 1),
        ("a green frog that is asleep", 3),
    ],
)
def test_words_find_drawings_of_which_nothing_is_written(seen: tuple[Settings, Catalogue], query: str, at: int) -> None:
    hit = seeing(*seen).search(query).hits[0]
    assert Path(hit.meme.path).stem == str(at) and hit.explanation[Field.PICTURE] > 0.5


@pytest.mark.real_models
def test_like_this_drawing_but_elsewhere(seen: tuple[Settings, Catalogue]) -> None:
    settings, catalogue = seen
    beach = next(meme for meme in catalogue.memes.everything() if Path(meme.path).stem == "1")
    hits = seeing(settings, catalogue).search(f"like:{beach.id} 2:forest 2:snow").hits
    assert Path(hits[0].meme.path).stem == "2"


@pytest.mark.real_models
def test_another_drawing_of_a_scene_finds_it(seen: tuple[Settings, Catalogue]) -> None:
    picture = draw_scene(SCENES[3], (520, 300)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert Path(seeing(*seen).search(image=picture).hits[0].meme.path).stem == "3"


@pytest.mark.real_models
def test_a_category_is_told_by_its_name_alone(seen: tuple[Settings, Catalogue]) -> None:
    settings, catalogue = seen
    picture = draw_scene(replace(SCENES[1], subject=Subject.DOG, sky=Sky.DAY), (400, 300))
    assert (
        tag_by_category_names(
            catalogue, embed_frames(settings, [picture], image_encoder=live_image_encoder(settings.data / "index"))
        )[0][0]
        == "Beach"
    )
    without = replace(settings, data=settings.data / "none")
    assert (
        tag_by_category_names(
            catalogue, embed_frames(without, [picture], image_encoder=live_image_encoder(without.data))
        )
        == []
    )


@pytest.mark.real_models
def test_what_the_live_index_saw_makes_candidates(seen: tuple[Settings, Catalogue]) -> None:
    settings, catalogue = seen
    sight = open_picture_vectors(settings.data / "index")
    assert sight is not None and sight.encoder == live_image_encoder(settings.data / "index")
    library = open_candidates(catalogue, image_index=sight.pictures)
    frames = embed_frames(settings, [draw_scene(SCENES[3], (520, 300))], image_encoder=sight.encoder)
    assert frames is not None
    nothing = np.empty((0, 32), np.uint8)
    first, *_ = library.find(Signature(nothing, nothing, (), (), embeddings=frames.rows))
    assert [Path(meme.path).stem for meme in catalogue.memes.with_content(library.hashes[first])] == ["3"]
    assert open_picture_vectors(settings.data / "none") is None
