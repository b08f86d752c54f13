"""Export a sentence-transformers model: `python -m search.encoders.sentence_export SPEC SOURCE FOLDER THREADS`.

Imports torch, so it runs in a child process of its own. SOURCE is the folder of the model's files. Pooling, dense
layers and normalisation are traced as sentence-transformers runs them; the export fails unless what is written agrees
with it on PROBES, as queries and as passages. The graph is left as traced: fusing its attention ahead of time gained
nothing, and ONNX Runtime optimizes it as it loads.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from huggingface_hub import metadata_load
from numpy.typing import NDArray
from tokenizers import Tokenizer
from yaml import YAMLError

from search.encoders.clip import encoder_name, weights_digest
from search.encoders.minilm import sha256
from search.encoders.minilm_export import PROBES, declare_torchvision_operators, export_network
from search.encoders.runtimes import LEAST_COSINE, ONNX_RUNTIME, installed_runtimes
from search.encoders.sentence import MODEL_FILE, TOKENIZER_FILE, SentenceEncoder, SentenceManifest
from search.encoders.text_models import known_text_model, local_model_files, parse_text_spec
from search.errors import MemeticaError, ModelUnavailable
from search.system.processes import end_with_parent

PASSAGE_PROMPTS = ("document", "passage", "corpus")  # names of a passage's prompt, in the order of encode_document


class Pooled(torch.nn.Module):
    """All modules of a sentence-transformers model in order, with rows of length 1."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return [n, dimensions] for token ids and mask, both int64 [n, tokens]."""
        features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask, "modality": "text"}
        for module in self.model:
            features = module(features)
        return torch.nn.functional.normalize(features["sentence_embedding"][:, : self.model.truncate_dim], dim=-1)


class Static(torch.nn.Module):
    """The mean of the tokens' own embeddings, and the modules after it; an embedding bag cannot be exported."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.weights = torch.nn.Embedding.from_pretrained(model[0].embedding.weight.detach().float())

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return [n, dimensions] for token ids and mask, both int64 [n, tokens]."""
        mask = attention_mask.unsqueeze(-1).to(torch.float32)
        total = (self.weights(input_ids) * mask).sum(1) / mask.sum(1).clamp(min=1)
        features = {"sentence_embedding": total}
        for module in list(self.model)[1:]:
            features = module(features)
        return torch.nn.functional.normalize(features["sentence_embedding"][:, : self.model.truncate_dim], dim=-1)


def export(spec: str, source: Path, folder: Path, *, threads: int = 0) -> SentenceManifest:
    """Write model, tokenizer and manifest into a folder; return the manifest.

    Raises ModelUnavailable when the model cannot be loaded or exported, or ONNX Runtime disagrees with the original.
    """
    if threads:
        torch.set_num_threads(threads)
    original = _loaded(spec, source)
    static = type(original[0]).__name__ == "StaticEmbedding"
    manifest = _manifest(spec, source, original, folder, static=static)
    example = torch.full((2, 7), max(0, manifest.pad), dtype=torch.long)
    try:
        export_network((Static if static else Pooled)(original), example, folder / MODEL_FILE)
    except Exception as error:  # the tracer raises types of its own and of the model's code
        raise ModelUnavailable(f"{spec} cannot be exported: {_first_line(error)}") from error
    manifest = replace(manifest, files={name: _described(folder / name) for name in (MODEL_FILE, TOKENIZER_FILE)})
    manifest = replace(manifest, agreement=_agreement(original, manifest, folder, threads=threads))
    if not manifest.agreement[ONNX_RUNTIME] >= LEAST_COSINE:
        raise ModelUnavailable(
            f"The export of {spec} disagrees with the original (cosine {manifest.agreement[ONNX_RUNTIME]:.4f})."
        )
    manifest.write(folder)
    return manifest


def _loaded(spec: str, source: Path) -> Any:
    """Return the model in single precision on the CPU; code that comes with a model is not run."""
    declare_torchvision_operators()
    # This import looks the operators up, so it must follow their declaration.
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(
            str(source),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"attn_implementation": "eager", "dtype": torch.float32},
        )
    except Exception as error:  # transformers, safetensors and torch raise types of their own
        raise ModelUnavailable(f"{spec} cannot be loaded: {_first_line(error)}") from error
    if any(getattr(module, "include_prompt", True) is False for module in model):
        raise ModelUnavailable(f"{spec} pools its tokens without those of its prompt, which is not supported.")
    return model.eval()


def _manifest(spec: str, source: Path, model: Any, folder: Path, *, static: bool) -> SentenceManifest:
    """Return the manifest without files and agreement; write the tokenizer."""
    from sentence_transformers import __version__

    known = known_text_model(spec)
    inner = model[0].tokenizer
    backend = inner if static else getattr(inner, "backend_tokenizer", None)
    if backend is None:
        raise ModelUnavailable(f"The tokenizer of {spec} cannot be run without torch.")
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / TOKENIZER_FILE))
    longest = model.max_seq_length
    prompts = {name: prompt for name, prompt in model.prompts.items() if prompt}
    default = prompts.get(model.default_prompt_name or "", "")
    passage = next((prompts[name] for name in PASSAGE_PROMPTS if name in prompts), default)
    query = prompts.get("query", default)
    if not prompts and known is not None:
        query, passage = known.query, known.passage
    languages, license = _card(source)
    shape = [[type(module).__name__, module.get_config_dict()] for module in model]
    digest = weights_digest(
        [
            *(_bytes(tensor) for _, tensor in sorted(model.state_dict().items())),
            json.dumps([shape, longest, query, passage, model.truncate_dim], default=str, sort_keys=True).encode(),
            tokenizer.to_str().encode(),
        ]
    )
    return SentenceManifest(
        name=encoder_name(spec, digest),
        spec=spec,
        dimensions=int(model.truncate_dim or model.get_embedding_dimension()),
        max_tokens=0 if longest is None or math.isinf(longest) else int(longest),
        pad=0 if static else int(inner.pad_token_id or 0),
        special_tokens=not static,
        query=query,
        passage=passage,
        languages=languages or (known.codes if known is not None else ()),
        license=known.license if known is not None else license,
        parameters=sum(tensor.numel() for tensor in model.parameters()),
        agreement={},
        made_with={"torch": torch.__version__, "sentence-transformers": __version__, "onnx": onnx.__version__},
        files={},
        weights_from=local_model_files(parse_text_spec(spec)),
    )


def _card(source: Path) -> tuple[tuple[str, ...], str]:
    """Return the languages and the licence that a model's card gives; nothing where there is none, or it is broken."""
    try:
        card = metadata_load(source / "README.md") or {}
    except (OSError, ValueError, YAMLError):
        return (), ""
    languages = card.get("language") or []
    listed = languages if isinstance(languages, list) else [languages]
    return tuple(str(language) for language in listed), str(card.get("license") or "")


def _agreement(original: Any, manifest: SentenceManifest, folder: Path, *, threads: int) -> dict[str, float]:
    """Return each runtime's least cosine to the original, over queries and passages."""
    expected = {
        prompt: np.asarray(original.encode(list(PROBES), prompt=prompt, normalize_embeddings=True))
        for prompt in {manifest.query, manifest.passage}
    }
    found: dict[str, float] = {}
    for kind in installed_runtimes():
        encoder = SentenceEncoder(folder, manifest, kind.open(folder / MODEL_FILE, threads=threads))
        found[kind.name] = round(
            min(
                _least_cosine(encoder.encode_queries(PROBES), expected[manifest.query]),
                _least_cosine(encoder.encode(PROBES), expected[manifest.passage]),
            ),
            6,
        )
    return found


def _least_cosine(rows: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the least cosine of two lists of rows; texts without a direction in the original are left out."""
    told = np.linalg.norm(expected, axis=1) > 0.5
    return float((rows * expected).sum(axis=1)[told].min()) if told.any() else 0.0


def _described(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": sha256(file)}


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    end_with_parent()
    try:
        export(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), threads=int(sys.argv[4]))
    except MemeticaError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
