"""Text encoders with weights of 8 bits, for browsers: smaller and faster, for a small loss."""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tokenizers import Tokenizer

from search.encoders import minilm, sentence
from search.encoders.coverage import coverage_of
from search.encoders.runtimes import OnnxRuntime
from search.errors import ModelUnavailable
from search.system.atomic_write import write_atomically

LEAST_COSINE = 0.95  # of a converted model's rows to the original's, over PROBES; MiniLM has .99
_RECIPE = "int8-per-channel-1"  # change it when the same model would be converted otherwise
_LEVEL = 6  # of compression: 9 takes three times as long for one part in a hundred
PROBES = (
    "a dog in a burning room",
    "when the code works on the first try",
    "one does not simply walk into mordor",
    "monday",
    "A man looks back at another woman while his girlfriend stares at him in disbelief.",
    "sneaking out of an obligation",
)


@dataclass(frozen=True)
class ExportedEncoder:
    """A prepared text encoder: its folder, and how its texts become tokens."""

    folder: Path
    model_sha256: str
    max_tokens: int  # 0 for no limit
    prompt: str = ""
    special_tokens: bool = True

    def scripts(self) -> frozenset[str]:
        """Return the scripts that its tokenizer has words of."""
        return coverage_of(Tokenizer.from_file(str(self.folder / minilm.TOKENIZER_FILE))).scripts


def exported_encoder(models: Path, name: str) -> ExportedEncoder:
    """Return the prepared encoder of a name; raise ModelUnavailable where there is none with a model in ONNX.

    >>> exported_encoder(folder, "hashing-words-1")
    Traceback (most recent call last):
    search.errors.ModelUnavailable: The text encoder hashing-words-1 has no exported model.
    """
    if name == minilm.NAME:
        folder = models / minilm.NAME
        if (folder / minilm.MODEL_FILE).is_file():
            return ExportedEncoder(folder, minilm.sha256(folder / minilm.MODEL_FILE), minilm.MAX_TOKENS)
    else:
        folder = sentence.encoder_folder(models, name)
        if (folder / sentence.MODEL_FILE).is_file():
            manifest = sentence.read_sentence_manifest(folder)
            sha = minilm.sha256(folder / sentence.MODEL_FILE)
            return ExportedEncoder(folder, sha, manifest.max_tokens, manifest.query, manifest.special_tokens)
    raise ModelUnavailable(f"The text encoder {name} has no exported model.")


def quantize(source: Path, target: Path) -> None:
    """Write a model in ONNX with weights of 8 bits, a scale for each channel; activations are rounded as it runs.

    Raises ModelUnavailable for a model that cannot be converted.

    >>> quantize(folder / "missing.onnx", folder / "small.onnx")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    search.errors.ModelUnavailable: The model could not be converted to 8 bits: ...
    """
    # Imported here: it takes a second, and an export that finds the converted model does not need it.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it advises a preparation that gains nothing here
    try:
        # With one scale for each matrix, MiniLM's cosine to the original falls from .99 to .96.
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)
    except Exception as error:  # of protobuf, onnx and the disk: none of them public
        raise ModelUnavailable(f"The model could not be converted to 8 bits: {error}") from error
    finally:
        logging.disable(disabled)


def quantized_model(models: Path, found: ExportedEncoder, *, threads: int) -> bytes:
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


def _cosine(source: Path, made: Path, found: ExportedEncoder, texts: Sequence[str], *, threads: int) -> float:
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
