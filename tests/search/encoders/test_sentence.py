"""Text encoders of sentence-transformers: exported once, as the original has them, from a folder or the hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.encoders import sentence_prepare
from search.encoders.export_process import ExportFailed
from search.encoders.hub import DOWNLOADS
from search.encoders.registry import chosen_text_encoder, load_text_encoder
from search.encoders.runtimes import OnnxRuntime
from search.encoders.sentence import MODEL_FILE, SentenceEncoder, encoder_folder, load_sentence_encoder
from search.encoders.sentence_prepare import find_prepared_text, is_complete, prepare_sentence_encoder
from search.encoders.text_models import is_text_spec, parse_text_spec
from search.errors import ModelUnavailable, WrongUse
from search.settings import Settings
from tests.support.exporting import run_here
from tests.support.fake_hub import serving
from tests.support.text_models import PROMPTS, make_text_model

TEXTS = ["cat rain window", "собака", "", "night work coffee fish fire robot dog cat"]


@pytest.mark.real_models
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"pooling": "cls", "prompts": {"query": "query: "}},
        {"pooling": "last", "prompts": {}, "normalize": False},
        {"dense": 20, "max_tokens": 5},
    ],
    ids=["mean", "cls", "last token", "dense"],
)
def test_an_export_gives_the_rows_of_the_original(tmp_path: Path, how: dict[str, Any]) -> None:
    from search.encoders.minilm_export import declare_torchvision_operators
    from search.encoders.sentence_export import export

    declare_torchvision_operators()
    from sentence_transformers import SentenceTransformer

    source, folder = make_text_model(tmp_path / "model", **how), tmp_path / "made"
    folder.mkdir()
    manifest = export(str(source), source, folder)
    original = SentenceTransformer(str(source), device="cpu", local_files_only=True)
    encoder = SentenceEncoder(folder, manifest, OnnxRuntime.open(folder / MODEL_FILE))
    prompts = how.get("prompts", PROMPTS)
    for rows, prompt in (
        (encoder.encode(TEXTS), prompts.get("passage", "")),
        (encoder.encode_queries(TEXTS), prompts.get("query", "")),
    ):
        expected = original.encode(TEXTS, prompt=prompt, normalize_embeddings=True)
        assert rows.shape == (len(TEXTS), how.get("dense", 48))
        assert np.allclose(rows, expected, atol=1e-4)
    assert (manifest.languages, manifest.license) == (("en", "ru"), "mit")
    assert manifest.max_tokens == how.get("max_tokens", 32)
    assert encoder.coverage.scripts == {"Latin", "Cyrillic"}


@pytest.mark.real_models
def test_an_export_that_disagrees_with_the_original_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from search.encoders import sentence_export

    source = make_text_model(tmp_path / "model")
    (tmp_path / "made").mkdir()
    monkeypatch.setattr(sentence_export.SentenceEncoder, "encode", lambda self, texts: np.eye(len(texts), 48))
    with pytest.raises(ModelUnavailable, match=r"disagrees with the original \(cosine -?0\.\d+\)"):
        sentence_export.export(str(source), source, tmp_path / "made")


@pytest.mark.real_models
def test_a_model_of_the_hub_is_downloaded_once_and_one_copy_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_text_model(tmp_path / "source")
    files = {f"org/two/{file.relative_to(source)}": file.read_bytes() for file in source.rglob("*") if file.is_file()}
    files |= {"org/two/onnx/model.onnx": b"x" * 20_000, "org/two/pytorch_model.bin": b"y" * 20_000}
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sentence_prepare, "run_exporter", run_here)
    models, received = tmp_path / "models", []
    with serving(files) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        manifest = prepare_sentence_encoder(
            models, "org/two", on_download=lambda progress: received.append(progress.received)
        )
        assert prepare_sentence_encoder(models, "org/two") == manifest
        asked = [path for method, path, _ in hub.requests if method == "GET"]
        assert sum(path.endswith("/model.safetensors") for path in asked) == 1
        assert not any(path.endswith((".onnx", ".bin")) for path in asked)
        with pytest.raises(ModelUnavailable, match="no org/none"):
            prepare_sentence_encoder(models, "org/none")
    assert received[-1] > 10_000
    assert not (models / DOWNLOADS / "org").exists() and not list(models.glob("**/*.safetensors"))
    settings = Settings(data=tmp_path, text_encoder="org/two")
    assert chosen_text_encoder(settings) == manifest.name == load_text_encoder(settings).name
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match="not on this machine") as away:
        prepare_sentence_encoder(models, "org/other")
    assert "folder" in away.value.hint


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text_model: tuple[Path, Path]) -> tuple[Path, Path]:
    """A folder of models with an exported text encoder, and the folder that it is of; nothing can be exported."""
    source, models = text_model

    def refuse(*given: object, **more: object) -> str:
        raise ExportFailed(1, "nothing is exported here")

    monkeypatch.setattr(sentence_prepare, "run_exporter", refuse)
    return source, Path(shutil.copytree(models, tmp_path / "models"))


def test_words_of_two_languages_that_mean_the_same_are_near(made: tuple[Path, Path]) -> None:
    source, models = made
    encoder = load_text_encoder(Settings(data=models.parent, text_encoder=str(source)))
    near = encoder.encode_queries(["кот"]) @ encoder.encode(["cat", "robot", "fish"]).T  # type: ignore[attr-defined]
    assert near.argmax() == 0 and near[0, 0] > near[0, 1:].max() + 0.1


def test_a_damaged_export_is_not_used(made: tuple[Path, Path]) -> None:
    source, models = made
    manifest = find_prepared_text(models, str(source))
    assert manifest is not None and load_sentence_encoder(models, manifest.name).name == manifest.name
    model = encoder_folder(models, manifest.name) / MODEL_FILE
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 0xFF
    model.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"model\.onnx has changed"):
        load_sentence_encoder(models, manifest.name, long_running=True)
    with pytest.raises(ModelUnavailable, match="nothing is exported here"):
        prepare_sentence_encoder(models, str(source))  # it would be exported anew
    model.write_bytes(content[:-1])
    assert find_prepared_text(models, str(source)) is None


def test_a_folder_that_has_changed_is_exported_again(made: tuple[Path, Path], tmp_path: Path) -> None:
    source, models = made
    assert prepare_sentence_encoder(models, str(source)).spec == str(source)
    other = shutil.copytree(source, tmp_path / "other")
    with pytest.raises(ModelUnavailable, match="nothing is exported here"):
        prepare_sentence_encoder(models, str(other))


@pytest.mark.parametrize(
    ("spec", "reads_texts"),
    [
        ("all-MiniLM-L6-v2", True),
        ("intfloat/multilingual-e5-small", True),
        ("ViT-B-32/laion2b_s34b_b79k", False),
        ("ViT-B-32@weights.pt", False),
        ("built-in", False),
        ("none", False),
        ("", False),
        ("nonsense", False),
        ("../..", False),
    ],
)
def test_what_a_specification_names(spec: str, reads_texts: bool) -> None:
    assert is_text_spec(spec) is reads_texts


def test_a_folder_is_of_texts_if_it_has_their_modules(tmp_path: Path) -> None:
    folder = make_text_model(tmp_path / "model")
    assert is_text_spec(str(folder)) and not is_text_spec(str(tmp_path))
    assert parse_text_spec(str(folder)).folder == folder and is_complete(folder)
    (folder / "model.safetensors").unlink()
    assert not is_complete(folder)
    (folder / "modules.json").write_text(json.dumps({"no": "list"}))
    assert not is_complete(folder)
    for wrong in ("", "bert", str(tmp_path), "a/b/c", "/x"):
        with pytest.raises(WrongUse, match="is not a text encoder"):
            parse_text_spec(wrong)
