"""The real text encoder: made once, checked, mended when damaged, run without torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from safetensors.numpy import load_file

from search.encoders import minilm, runtimes
from search.encoders.base import validate_vectors
from search.encoders.minilm import NAME, MiniLM, export_minilm, open_minilm
from search.encoders.minilm_query import divisors, write_query_model
from search.encoders.runtimes import OnnxRuntime
from search.errors import DataFolderError, ModelUnavailable

pytestmark = pytest.mark.real_models

TEXTS = (
    "A kitten naps on the couch.",
    "",
    "The quarterly tax return is due.",
    "THIS IS FINE 🔥",
    "Кот спит на диване.",
    "A cat sleeps on a sofa.",
    "The dog sits in a burning room. " * 60,
)


@pytest.fixture(scope="module")
def models(minilm_models: Path) -> Path:
    """A folder of models with the exported encoder in it."""
    return minilm_models


@pytest.fixture(scope="module")
def encoder(models) -> MiniLM:
    return open_minilm(models, threads=2)


@pytest.fixture
def copied(models, tmp_path) -> Path:
    """A copy of the folder of models that a test may damage."""
    return Path(shutil.copytree(models, tmp_path / "models"))


def test_export_agrees_with_sentence_transformers_and_says_so(models):
    manifest = json.loads((models / NAME / "manifest.json").read_text("utf-8"))
    assert manifest["least_cosine_to_original"]["onnxruntime"] >= 0.9999
    assert manifest["least_cosine_to_original"]["openvino"] >= 0.999
    assert manifest["weights_sha256"] == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert sorted(file.name for file in models.iterdir()) == [NAME], "nothing is left beside the export"


def test_rows_keep_the_promise_and_like_meanings_are_near(encoder):
    rows = validate_vectors(encoder.encode(TEXTS), rows=len(TEXTS), dimensions=384, encoder=encoder.name)
    assert rows[0] @ rows[5] > 0.6 > 0.2 > rows[0] @ rows[2]
    assert encoder.encode([]).shape == (0, 384)


def test_a_text_has_the_same_row_alone_and_among_others(encoder):
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-5)


@pytest.fixture
def with_bfloat16(monkeypatch):
    monkeypatch.setattr("search.encoders.runtimes.has_bfloat16", lambda: True)


def test_openvino_runs_the_same_model(models, encoder, with_bfloat16):
    quick = open_minilm(models, threads=2, long_running=True)
    assert (quick.runtime.name, encoder.runtime.name) == ("openvino", "onnxruntime")
    of_a_server = open_minilm(models, threads=2, long_running=True, for_queries=True)
    assert of_a_server is open_minilm(models, threads=2)  # what a command runs, and pictures' encoders share
    rows = validate_vectors(quick.encode(TEXTS), rows=len(TEXTS), dimensions=384, encoder=quick.name)
    assert (rows * encoder.encode(TEXTS)).sum(axis=1).min() >= 0.999
    alone = np.concatenate([quick.encode([text]) for text in TEXTS])
    assert (rows * alone).sum(axis=1).min() >= 0.9995


def test_openvino_answers_several_threads_at_once(models, with_bfloat16):
    quick = open_minilm(models, threads=2, long_running=True)
    expected = quick.encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(lambda _: quick.encode(TEXTS), range(12)):
            np.testing.assert_allclose(rows, expected, atol=1e-3)


@pytest.mark.parametrize("agreement", [{"onnxruntime": 1.0}, {"onnxruntime": 1.0, "openvino": 0.98}])
def test_a_runtime_that_was_not_found_to_agree_is_not_used(copied, agreement, with_bfloat16):
    manifest = copied / NAME / "manifest.json"
    known = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps(known | {"least_cosine_to_original": agreement}), "utf-8")
    assert open_minilm(copied, long_running=True).runtime.name == "onnxruntime"


@pytest.mark.parametrize(
    ("openvino", "abilities", "runs"),
    [
        (False, None, "onnxruntime"),
        (True, ["FP32", "INT8"], "onnxruntime"),
        (True, ["FP32", "BF16", "INT8"], "openvino"),
    ],
)
def test_openvino_serves_only_where_the_processor_has_bfloat16(models, monkeypatch, openvino, abilities, runs):
    monkeypatch.setattr(runtimes, "has_openvino", lambda: openvino)
    monkeypatch.setattr(runtimes, "has_bfloat16", runtimes.has_bfloat16.__wrapped__)
    if openvino:
        monkeypatch.setattr("openvino.Core.get_property", lambda core, device, name: abilities)
    assert open_minilm(models, long_running=True).runtime.name == runs


def test_what_is_past_256_tokens_is_not_read(encoder):
    words = ["rain"] * 254
    assert len(encoder._tokenizer.encode(" ".join(words)).ids) == 256
    read, more = encoder.encode([" ".join(words), " ".join([*words, "cat"] * 3)])
    np.testing.assert_allclose(read, more, atol=2e-5)


def test_any_string_can_be_encoded(encoder):
    rows = encoder.encode(["\ud800 lone", "\x00", "\u202e", "a" * 100_000, "\n"])
    validate_vectors(rows, rows=5, dimensions=384, encoder=encoder.name)


def test_loading_and_encoding_import_no_torch(models):
    code = (
        "import sys; from pathlib import Path; from search.encoders.registry import load_text_encoder; "
        "from search.settings import Settings; "
        "load_text_encoder(Settings(data=Path(sys.argv[1]))).encode(['cat']); "
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", code, str(models.parent / "data")], capture_output=True, text=True)
    assert "ModelUnavailable" in said.stderr, "another data folder has no encoder"
    (models.parent / "data").mkdir()
    (models.parent / "data" / "models").symlink_to(models)
    said = subprocess.run(
        [sys.executable, "-c", code, str(models.parent / "data")], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


def test_an_export_that_is_there_is_not_made_again(models, monkeypatch):
    monkeypatch.setattr(minilm, "_run_export", lambda *given, **more: pytest.fail("exported again"))
    assert export_minilm(models) is False


@pytest.mark.parametrize("name", ["model.onnx", "query.onnx", "tokenizer.json"])
def test_one_changed_byte_is_noticed(copied, name):
    file = copied / NAME / name
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        byte = opened.read(1)[0]
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte ^ 1]))
    with pytest.raises(ModelUnavailable, match=f"damaged: {name}") as raised:
        open_minilm(copied, long_running=True)
    assert "memetica index" in raised.value.hint


def test_a_model_cut_short_is_noticed_without_reading_it(copied):
    with (copied / NAME / "model.onnx").open("r+b") as opened:
        opened.truncate(1000)
    with pytest.raises(ModelUnavailable, match=r"damaged: model\.onnx"):
        open_minilm(copied)


@pytest.mark.parametrize("name", ["model.onnx", "query.onnx"])
@pytest.mark.parametrize("long_running", [False, True])
def test_a_model_that_no_runtime_can_read_is_named(copied, name, long_running):
    model = copied / NAME / name
    model.write_bytes(b"\xff" * model.stat().st_size)
    manifest = copied / NAME / "manifest.json"
    known = json.loads(manifest.read_text("utf-8"))
    known["files"][name]["sha256"] = minilm.sha256(model)
    manifest.write_text(json.dumps(known), "utf-8")
    with pytest.raises(ModelUnavailable, match="damaged"):  # when it is opened, or the model is first used
        encoder = open_minilm(copied, long_running=long_running)
        encoder.encode(["cat"])
        encoder.encode_queries(["cat"])


def test_queries_are_encoded_in_8_bits_close_to_single_precision(encoder):
    rows = validate_vectors(encoder.encode_queries(TEXTS), rows=len(TEXTS), dimensions=384, encoder=encoder.name)
    cosines = (rows * encoder.encode(TEXTS)).sum(axis=1)
    assert cosines.min() >= 0.985 and 0.9955 <= cosines.mean() < 0.9999
    alone = np.concatenate([encoder.encode_queries([text]) for text in TEXTS])
    np.testing.assert_array_equal(alone, rows)
    assert encoder.encode_queries([]).shape == (0, 384)


def test_the_model_for_a_query_is_the_same_network(encoder, models, tmp_path):
    weights = load_file(minilm.packaged_model() / "model.safetensors")
    write_query_model(tmp_path / "query.onnx", weights, peaks=None, tokens=256)
    single = MiniLM(models / NAME, encoder.runtime, query=OnnxRuntime.open(tmp_path / "query.onnx", threads=2))
    # Words are in half precision; but for these, both agree to 1e-5.
    cosines = (single.encode_queries(TEXTS) * encoder.encode(TEXTS)).sum(axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    np.testing.assert_allclose(single.encode_queries(TEXTS), encoder.encode(TEXTS), atol=1e-4)


def test_weights_of_the_model_for_a_query_cannot_overflow_where_products_are_added_in_16_bits(models):
    stored = [numpy_helper.to_array(one) for one in onnx.load(str(models / NAME / "query.onnx")).graph.initializer]
    whole = [one for one in stored if one.dtype == np.int8]
    assert len(whole) == 23, "six layers of four products, but for one"
    assert max(np.abs(one).max() for one in whole) == 63


def test_large_channels_are_divided_and_others_stay_as_they_are():
    weight = np.random.default_rng(1).normal(size=(40, 8)).astype(np.float32)
    peaks = np.ones(40, np.float32)
    peaks[7] = 30
    by = divisors(weight, peaks, 0.9)
    assert by.argmax() == 7 and 10 < by[7] <= 30
    assert by.min() == 1 and np.median(by) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("export", "has_model"), [("minilm-onnx-2", False), ("minilm-onnx-3", True)])
def test_an_export_without_this_model_for_a_query_is_used_until_it_is_made_again(
    copied, models, monkeypatch, export, has_model
):
    (copied / NAME / "query.onnx").unlink()
    if has_model:
        (copied / NAME / "queries.onnx").write_bytes(b"of another form")
    manifest = copied / NAME / "manifest.json"
    known = json.loads(manifest.read_text("utf-8"))
    del known["files"]["query.onnx"]
    manifest.write_text(json.dumps(known | {"export": export}), "utf-8")
    earlier = open_minilm(copied, threads=2)
    np.testing.assert_allclose(earlier.encode_queries(["cat"]), earlier.encode(["cat"]), atol=1e-6)
    monkeypatch.setattr(
        minilm, "_run_export", lambda folder, *, threads: shutil.copytree(models / NAME, folder, dirs_exist_ok=True)
    )
    assert export_minilm(copied) is True
    assert sorted(file.name for file in (copied / NAME).iterdir()) == [
        "manifest.json",
        "model.onnx",
        "query.onnx",
        "tokenizer.json",
    ]


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"export": "another-0"}'])
def test_an_export_that_does_not_describe_itself_is_refused(copied, manifest):
    (copied / NAME / "manifest.json").write_text(manifest, "utf-8")
    with pytest.raises(ModelUnavailable):
        open_minilm(copied)


def test_a_damaged_export_is_replaced_whole(copied, models, monkeypatch):
    (copied / NAME / "model.onnx").write_bytes(b"")
    monkeypatch.setattr(
        minilm, "_run_export", lambda folder, *, threads: shutil.copytree(models / NAME, folder, dirs_exist_ok=True)
    )
    assert export_minilm(copied) is True
    np.testing.assert_allclose(open_minilm(copied).encode(["cat"]), open_minilm(models).encode(["cat"]), atol=1e-6)
    assert [file.name for file in copied.iterdir()] == [NAME]


def test_a_failed_export_leaves_nothing_behind_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('no room for torch')", "utf-8")
    with pytest.raises(ModelUnavailable, match="no room for torch"):
        export_minilm(tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_the_data_folders_fault(tmp_path):
    (tmp_path / "models").write_text("a file", "utf-8")
    with pytest.raises(DataFolderError, match="models"):
        export_minilm(tmp_path / "models")


def test_other_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(minilm.resources, "files", lambda package: tmp_path)
    with pytest.raises(ModelUnavailable, match="differ from those of all-MiniLM-L6-v2"):
        minilm.packaged_model()


def test_missing_weights_are_named():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minilm, "PACKAGE", "no_such_package_of_weights")
        with pytest.raises(ModelUnavailable, match="not installed"):
            minilm.packaged_model()


def test_a_torchvision_for_another_torch_does_not_stop_the_export(tmp_path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("", "utf-8")
    (tmp_path / "torchvision" / "_C.so").write_bytes(b"built for another torch")
    code = (
        "import torch; from search.encoders.minilm_export import declare_torchvision_operators; "
        "kept = declare_torchvision_operators(); print(torch.ops.torchvision.nms.default._schema)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert "Tensor dets, Tensor scores, float iou_threshold) -> Tensor" in said.stdout
