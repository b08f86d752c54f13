"""The text encoder as files that a browser runs: its model in 8 bits, its tokenizer, and the runtime from `vendor/`.

The model is quantized once and kept in the folder of models. Every file is named by its content, so that a browser
that has it never fetches it again, and has at most PART_BYTES: some hosts take no larger ones than 25 MB.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.encoders.minilm import TOKENIZER_FILE
from search.encoders.quantization import exported_encoder, quantized_model
from search.errors import ModelUnavailable
from search.workspace import Workspace

PART_BYTES = 8_000_000
_LEVEL = 6  # of compression: 9 takes three times as long for one part in a hundred
_VENDOR = Path(__file__).parent / "vendor"
# SHA-256 of what is in `vendor/`: onnxruntime-web 1.30.0 and @huggingface/tokenizers 0.2.0, from the npm registry.
VENDORED = {
    "ort.js": "c9f34add33b618546b26b7bc48811814ce319bb6e2be68ddb306618ae0a11812",
    "ort.wasm.xz": "f70969a46d0bebf3508dc3f8f6adcf111152072dda1eadd02f0f8cd8639371c9",
    "tokenizers.js": "258e46332101335ce8d95aed7745b19ac3b46d37f3e159a89cf894c2ea9b1d3a",
}


@dataclass(frozen=True)
class EncoderFiles:
    """The files of an encoder by name, and the table that tells the browser how to use them."""

    files: Mapping[str, bytes]
    table: Mapping[str, Any]

    @property
    def bytes(self) -> int:
        """What a visitor's browser fetches once to search by meaning."""
        return sum(map(len, self.files.values()))


def encoder_files(workspace: Workspace, name: str) -> EncoderFiles:
    """Return the files of the text encoder of this name, as in an index manifest.

    Raises ModelUnavailable for an encoder without an exported model, and for one that 8 bits change too much.

    >>> encoder_files(workspace, "hashing-words-1")
    Traceback (most recent call last):
    search.errors.ModelUnavailable: The text encoder hashing-words-1 has no exported model.
    """
    found = exported_encoder(workspace.models, name)
    files: dict[str, bytes] = {}

    def keep(raw: bytes, ending: str = "dat") -> str:
        named = f"{hashlib.sha256(raw).hexdigest()[:16]}.{ending}"
        files[named] = raw
        return named

    packed = quantized_model(workspace.models, found, threads=workspace.settings.threads)
    table = {
        "name": name,
        "model": [keep(packed[at : at + PART_BYTES]) for at in range(0, len(packed), PART_BYTES)],
        "runtime": keep(gzip.compress(lzma.decompress(vendored("ort.wasm.xz")), _LEVEL, mtime=0)),
        "tokenizer": keep(gzip.compress((found.folder / TOKENIZER_FILE).read_bytes(), 9, mtime=0)),
        "scripts": {"ort": keep(vendored("ort.js"), "js"), "tokenizers": keep(vendored("tokenizers.js"), "js")},
        "prompt": found.prompt,
        "special": found.special_tokens,
        "most": found.max_tokens,
        "reads": sorted(found.scripts()),
    }
    return EncoderFiles(files, table | {"bytes": sum(map(len, files.values()))})


def vendored(name: str) -> bytes:
    """Return a file of `vendor/`; raise ModelUnavailable when it is missing or is not the one that was tried.

    >>> vendored("ort.js")[:31]
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
