"""The exported text encoder beside sentence-transformers: start, one query, passages a second, agreement, in one run.

python -m benchmarks.text_encoders DATA
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.machine import machine
from search.encoders.minilm import open_minilm, packaged_model
from search.encoders.registry import export_text_encoder
from search.settings import Settings

QUERY = "a cat that hates mondays"
START = (
    sys.executable,
    "-c",
    "import sys, time; begun = time.perf_counter(); from pathlib import Path; from search.settings import Settings; "
    "from search.encoders.registry import load_text_encoder; "
    "load_text_encoder(Settings(data=Path(sys.argv[1])), long_running=sys.argv[2] == 'often').encode(['a']); "
    "print(time.perf_counter() - begun)",
)


def passages(count: int, words: int) -> list[str]:
    """Return texts of frequent words, drawn with a seed."""
    lines = (files("symspellpy") / "frequency_dictionary_en_82_765.txt").read_text("utf-8-sig").splitlines()
    known = [line.split()[0] for line in lines[:10_000]]
    draw = np.random.default_rng(1)
    return [" ".join(known[int(10_000 * draw.random() ** 2)] for _ in range(words)) for _ in range(count)]


def rate(encode: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """Return how many texts a second an encoder reads, after one that does not count."""
    encode(texts[:1])
    begun = time.perf_counter()
    encode(texts)
    return len(texts) / (time.perf_counter() - begun)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    settings = Settings(data=given.data)
    export_text_encoder(settings)
    print(machine())
    encoders = {}
    for often in (False, True):
        encoder = encoders[often] = open_minilm(settings.data / "models", threads=settings.threads, long_running=often)
        starts = [
            float(subprocess.run([*START, given.data, "often" if often else "once"], capture_output=True).stdout)
            for _ in range(given.rounds)
        ]
        queries = []
        for _ in range(100):
            begun = time.perf_counter()
            encoder.encode([QUERY])
            queries.append(time.perf_counter() - begun)
        print(
            f"{encoder.runtime.name:12} cold start {median(starts):.2f} s, "
            f"one query p50 {1000 * median(queries):.1f} ms"
        )

    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(packaged_model()), device="cpu", local_files_only=True)
    peer.max_seq_length = 256

    def theirs(texts: Sequence[str], *, batch_size: int) -> np.ndarray:
        return np.asarray(
            peer.encode(list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
        )

    for words, count in ((6, 400), (200, 64)):
        texts = passages(count, words)
        # A batch of 32 is its own choice; on long texts it is quickest with smaller ones.
        contestants: dict[str, Callable[[Sequence[str]], np.ndarray]] = {
            "sentence-transformers": partial(theirs, batch_size=32),
            "sentence-transformers, batches of 8": partial(theirs, batch_size=8),
            **{encoder.runtime.name: encoder.encode for encoder in encoders.values()},
        }
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(given.rounds):
            for name, encode in contestants.items():
                rates[name].append(rate(encode, texts))
        best = [max(pair) for pair in zip(*list(rates.values())[:2], strict=True)]
        expected = theirs(texts, batch_size=8)
        for name, found in rates.items():
            ratio = median(one / other for one, other in zip(found, best, strict=True))
            agreement = float((contestants[name](texts) * expected).sum(axis=1).min())
            print(
                f"{words:3} words: {name:36} {median(found):7.1f}/s, {ratio:.2f} of their best, "
                f"least cosine {agreement:.5f}"
            )


if __name__ == "__main__":
    main()
