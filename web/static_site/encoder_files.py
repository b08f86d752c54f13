"""The text encoder as files that a browser runs: its model in 8 bits, its tokenizer, and the runtime from `vendor/`.

The model is quantized once and kept in the folder of models. Every file is named by its content, so that a browser
that has it never fetches it again, and has at most PART_BYTES: some hosts take no larger ones than 25 MB.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from search.atomic_write import write_atomically
from search.encoders import minilm, sentence
from search.encoders.coverage import coverage_of
from search.encoders.quantization import quantize
from search.encoders.runtimes import OnnxRuntime
from search.errors import ModelUnavailable
from search.workspace import Workspace

PART_BYTES = 8_000_000
LEAST_COSINE = 0.95  # of a quantized model's rows to the original's, over PROBES; MiniLM has .99
_RECIPE = "int8-per-channel-1"  # change it when the same model would be quantized otherwise
_LEVEL = 6  # of compression: 9 takes three times as long for one part in a hundred
_VENDOR = Path(__file__).parent / "vendor"
# SHA-256 of what is in `vendor/`: onnxruntime-web 1.30.0 and @huggingface/tokenizers 0.2.0, from the npm registry.
VENDORED = {
    "ort.js": "c9f34add33b618546b26b7bc48811814ce319bb6e2be68ddb306618ae0a11812",
    "ort.wasm.xz": "f70969a46d0bebf3508dc3f8f6adcf111152072dda1eadd02f0f8cd8639371c9",
    "tokenizers.js": "258e46332101335ce8d95aed7745b19ac3b46d37f3e159a89cf894c2ea9b1d3a",
}
PROBES = (
    "a dog in a burning room",
    "when the code works on the first try",
    "one does not simply walk into mordor",
    "monday",
    "A man looks back at another woman while his girlfriend stares at him in disbelief.",
    "sneaking out of an obligation",
)


@dataclass(frozen=True)
class EncoderFiles:
    """The files of an encoder by name, and the table that tells the browser how to use them."""

    files: Mapping[str, bytes]
    table: Mapping[str, Any]

    @property
    def bytes(self) -> int:
        """What a visitor's browser fetches once to search by meaning."""
        return sum(map(len, self.files.values()))


@dataclass(frozen=True)
class _Exported:
    """A prepared text encoder: its folder, and how its texts become tokens."""

    folder: Path
    model_sha256: str
    max_tokens: int  # 0 for no limit
    prompt: str = ""
    special_tokens: bool = True


def encoder_files(workspace: Workspace, name: str) -> EncoderFiles:
    """Return the files of the text encoder of this name, as in an index manifest.

    Raises ModelUnavailable for an encoder without an exported model, and for one that 8 bits change too much.

    >>> encoder_files(workspace, "hashing-words-1")
    Traceback (most recent call last):
    search.errors.ModelUnavailable: The text encoder hashing-words-1 has no exported model.
    """
    found = _exported(workspace.models, name)
    files: dict[str, bytes] = {}

    def keep(raw: bytes, ending: str = "dat") -> str:
        named = f"{hashlib.sha256(raw).hexdigest()[:16]}.{ending}"
        files[named] = raw
        return named

    packed = _quantized(workspace.models, found, threads=workspace.settings.threads)
    tokenizer = found.folder / minilm.TOKENIZER_FILE
    table = {
        "name": name,
        "model": [keep(packed[at : at + PART_BYTES]) for at in range(0, len(packed), PART_BYTES)],
        "runtime": keep(gzip.compress(lzma.decompress(vendored("ort.wasm.xz")), _LEVEL, mtime=0)),
        "tokenizer": keep(gzip.compress(tokenizer.read_bytes(), 9, mtime=0)),
        "scripts": {"ort": keep(vendored("ort.js"), "js"), "tokenizers": keep(vendored("tokenizers.js"), "js")},
        "prompt": found.prompt,
        "special": found.special_tokens,
        "most": found.max_tokens,
        "reads": sorted(coverage_of(Tokenizer.from_file(str(tokenizer))).scripts),
    }
    return EncoderFiles(files, table | {"bytes": sum(map(len, files.values()))})


def vendored(name: str) -> bytes:
    """Return a file of `vendor/`; raise ModelUnavailable when it is missing or is not the one that was tried.

    >>> vendored("ort.js")[:30]
    b'/*!\\n * ONNX Runtime Web v1.30.0'
    """
    hint = "Install Memetica again."
    try:
        raw = (_VENDOR / name).read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"The runtime for browsers is missing: {error}.", hint=hint) from error
    if hashlib.sha256(raw).hexdigest() != VENDORED[name]:
        raise ModelUnavailable(f"The runtime for browsers is damaged: {_VENDOR / name}.", hint=hint)
    return raw


def _exported(models: Path, name: str) -> _Exported:
    """Return the prepared encoder of a name; raise ModelUnavailable where there is none with a model in ONNX."""
    if name == minilm.NAME:
        folder = models / minilm.NAME
        if (folder / minilm.MODEL_FILE).is_file():
            return _Exported(folder, minilm.sha256(folder / minilm.MODEL_FILE), minilm.MAX_TOKENS)
    else:
        folder = sentence.encoder_folder(models, name)
        if (folder / sentence.MODEL_FILE).is_file():
            manifest = sentence.read_sentence_manifest(folder)
            sha = minilm.sha256(folder / sentence.MODEL_FILE)
            return _Exported(folder, sha, manifest.max_tokens, manifest.query, manifest.special_tokens)
    raise ModelUnavailable(f"The text encoder {name} has no exported model.")


def _quantized(models: Path, found: _Exported, *, threads: int) -> bytes:
    """Return a model with weights of 8 bits, compressed; made when the folder of models has none of it."""
    digest = hashlib.sha256(f"{_RECIPE} {found.model_sha256}".encode()).hexdigest()[:16]
    kept = models / f"browser-{digest}" / "model.onnx.gz"
    if kept.is_file():
        return kept.read_bytes()
    source = found.folder / minilm.MODEL_FILE
    with TemporaryDirectory(prefix="memetica-quantized-") as name:
        made = Path(name) / "model.onnx"
        quantize(source, made)
        cosine = _cosine(source, made, found, PROBES, threads=threads)
        if not cosine >= LEAST_COSINE:
            raise ModelUnavailable(
                f"The text encoder in 8 bits differs too much from the original (cosine {cosine:.3f})."
            )
        packed = gzip.compress(made.read_bytes(), _LEVEL, mtime=0)
    write_atomically(kept, packed)
    return packed


def _cosine(source: Path, made: Path, found: _Exported, texts: Sequence[str], *, threads: int) -> float:
    """Return the mean cosine of two models' rows of texts."""
    tokenizer = Tokenizer.from_file(str(found.folder / minilm.TOKENIZER_FILE))
    tokenizer.no_padding()
    both = [OnnxRuntime.open(model, threads=threads) for model in (source, made)]
    cosines = []
    for text in texts:
        ids = np.array([tokenizer.encode(found.prompt + text, add_special_tokens=found.special_tokens).ids], np.int64)
        one, other = (runtime.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})[0] for runtime in both)
        cosines.append(float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9)))
    return float(np.mean(cosines))
