"""Export MiniLM for `search.encoders.minilm`: `python -m search.encoders.minilm_export FOLDER THREADS`.

Imports torch, so it runs in a child process of its own. The graph for passages is left as traced: fusing its attention
ahead of time gained nothing, and ONNX Runtime optimizes it as it loads. That for queries is another one
(`search.encoders.minilm_query`).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.utils.hooks import RemovableHandle

from search.encoders.minilm import (
    MAX_TOKENS,
    MODEL_FILE,
    NAME,
    QUERY_FILE,
    TOKENIZER_FILE,
    MiniLM,
    packaged_model,
    write_manifest,
)
from search.encoders.minilm_query import CALIBRATION, smoothing, write_query_model
from search.encoders.runtimes import LEAST_COSINE, ONNX_RUNTIME, OnnxRuntime, installed_runtimes
from search.errors import ModelUnavailable
from search.system.processes import end_with_parent

OPSET = 17
LEAST_COSINE_OF_QUERIES = 0.96

# Texts on which an export must agree with the original: from empty to far longer than MAX_TOKENS, and every script
# that the tokenizer treats differently.
PROBES = (
    "",
    "cat",
    "THERE'S A CHANCE",
    "One does not simply walk into Mordor.",
    "when the code works on the first try 😂🔥",
    "Кот сидит на окне и смотрит на дождь.",
    "猫が窓辺で雨を見ている。",
    "القط يجلس على النافذة",
    "el niño comió piñata — ¿qué pasó?",
    "\n\t  \n",
    "supercalifragilisticexpialidocious " * 9,
    "A man looks back at another woman while his girlfriend stares at him in disbelief. " * 4,
    "The picture shows a dog that sits in a burning room and says that this is fine. " * 14,
    "word " * 1000,
)


class Pooled(torch.nn.Module):
    """The transformer with the pooling of sentence-transformers: the mean over the tokens, scaled to length 1."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return [n, dimensions] for token ids and mask, both int64 [n, tokens]."""
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(mean, dim=-1)


def export(folder: Path, *, threads: int = 0) -> dict[str, float]:
    """Write model, tokenizer and manifest into a folder; return each runtime's least cosine to the original on PROBES.

    Raises ModelUnavailable when the weights are missing or altered, or ONNX Runtime disagrees with the original.
    """
    source = packaged_model()
    declare_torchvision_operators()
    # This import looks the operators up, so it must follow their declaration.
    from sentence_transformers import SentenceTransformer, __version__

    if threads:
        torch.set_num_threads(threads)
    original = SentenceTransformer(
        str(source), device="cpu", local_files_only=True, model_kwargs={"attn_implementation": "eager"}
    )
    original.max_seq_length = MAX_TOKENS
    transformer = original[0].auto_model
    assert isinstance(transformer, torch.nn.Module)
    example = torch.ones((2, 7), dtype=torch.long)
    export_network(Pooled(transformer), example, folder / MODEL_FILE)
    shutil.copyfile(source / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    expected = original.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
    agreement: dict[str, float] = {}
    for kind in installed_runtimes():
        encoder = MiniLM(folder, kind.open(folder / MODEL_FILE, threads=threads))
        agreement[kind.name] = float(np.sum(expected * encoder.encode(PROBES), axis=1).min())
    if not agreement[ONNX_RUNTIME] >= LEAST_COSINE:
        raise ModelUnavailable(
            f"The export of {NAME} disagrees with the original (cosine {agreement[ONNX_RUNTIME]:.4f})."
        )
    peaks = input_peaks(transformer, lambda: original.encode(list(CALIBRATION), batch_size=1, show_progress_bar=False))
    weights = {name: value.numpy() for name, value in transformer.state_dict().items()}
    write_query_model(folder / QUERY_FILE, weights, peaks=peaks, tokens=MAX_TOKENS)
    queries = MiniLM(folder, encoder.runtime, query=OnnxRuntime.open(folder / QUERY_FILE, threads=threads))
    of_queries = float(np.sum(expected * queries.encode_queries(PROBES), axis=1).min())
    if not of_queries >= LEAST_COSINE_OF_QUERIES:
        raise ModelUnavailable(f"{NAME} in 8 bits disagrees with the original (cosine {of_queries:.4f}).")
    made_with = {"torch": torch.__version__, "sentence-transformers": __version__, "onnx": onnx.__version__}
    write_manifest(folder, agreement=agreement, of_queries=of_queries, made_with=made_with)
    return agreement


def input_peaks(transformer: torch.nn.Module, run: Callable[[], object]) -> dict[str, NDArray[np.float32]]:
    """Return the greatest absolute value of each channel in the inputs of products that are smoothed, while `run` runs.

    By the names of their modules. Texts must not be padded: padding would count.
    """
    peaks: dict[str, NDArray[np.float32]] = {}

    def watch(name: str, module: torch.nn.Module) -> RemovableHandle:
        def note(_: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            largest = given[0].abs().flatten(end_dim=-2).amax(dim=0).numpy()
            peaks[name] = np.maximum(peaks.get(name, 0), largest)

        return module.register_forward_pre_hook(note)

    watched = [watch(name, module) for name, module in transformer.named_modules() if smoothing(name)]
    run()
    for handle in watched:
        handle.remove()
    return peaks


def export_network(network: torch.nn.Module, example: torch.Tensor, file: Path) -> None:
    """Write a network as ONNX that maps ids and mask of tokens, int64 [n, tokens] as `example`, to rows."""
    torch.onnx.export(
        network.eval(),
        (example, torch.ones_like(example)),
        str(file),
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={"input_ids": {0: "n", 1: "tokens"}, "attention_mask": {0: "n", 1: "tokens"}},
        opset_version=OPSET,
        # The newer exporter gives an output of the same name twice, which ONNX Runtime refuses (torch 2.13).
        dynamo=False,
    )


@cache  # a declaration lasts as long as the returned object, and must not be made twice
def declare_torchvision_operators() -> torch.library.Library | None:
    """Declare torchvision's operators for the rest of the process where torchvision cannot load its own library.

    A torchvision built for another torch cannot load it; then every import of sentence-transformers and open_clip fails
    on an operator that nothing here calls.
    """
    spec = find_spec("torchvision")
    folders = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    binaries = [file for folder in folders for file in sorted(folder.glob("_C.*")) if file.suffix in {".so", ".pyd"}]
    if not binaries:
        return None
    try:
        torch.ops.load_library(str(binaries[0]))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


if __name__ == "__main__":
    end_with_parent()
    export(Path(sys.argv[1]), threads=int(sys.argv[2]))
