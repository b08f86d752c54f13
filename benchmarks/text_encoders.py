"""Text encoders: the exported MiniLM beside sentence-transformers: cold start, one query, texts per second, agreement.

    python -m benchmarks.text_encoders

All in one run, because only ratios of one run compare. Texts of 6 and of 200 frequent words. sentence-transformers runs
with its own batch of 32 and with batches of 8, with which it is quickest on long texts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.harness import Benchmark, Report, percentiles, timed
from search.encoders.minilm import MODEL_FILE, NAME, MiniLM, packaged_model
from search.encoders.minilm_export import declare_torchvision_operators
from search.encoders.registry import export_text_encoder
from search.encoders.runtimes import OPENVINO, best_runtime, installed_runtimes
from search.query.language import english_frequencies
from search.settings import Settings

QUERY = "a cat that hates mondays"
BENCHMARK = Benchmark(__doc__, needs="nothing", takes="4 minutes; 1 minute with --small")
BENCHMARK.parser.add_argument("data", nargs="?", type=Path, help="data folder that keeps the exported model")
BENCHMARK.option("--rounds", 3, small=1, help="repetitions; medians are reported")
BENCHMARK.option("--texts", 400, small=16, help="short texts of a round; long ones are a sixth of that")
START = (
    sys.executable,
    "-c",
    "import sys, time; begun = time.perf_counter(); from pathlib import Path; from search.encoders import runtimes; "
    "from search.encoders.minilm import MODEL_FILE, MiniLM; "
    "[kind] = [one for one in runtimes.installed_runtimes() if one.name == sys.argv[2]]; "
    "place = Path(sys.argv[1]); MiniLM(place, kind.open(place / MODEL_FILE)).encode(['a']); "
    "print(time.perf_counter() - begun)",
)


def passages(count: int, words: int) -> list[str]:
    """Return texts of frequent words, drawn with a seed."""
    known = list(islice(english_frequencies(), 10_000))
    draw = np.random.default_rng(1)
    return [" ".join(known[int(10_000 * draw.random() ** 2)] for _ in range(words)) for _ in range(count)]


def rate(encode: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """Return the texts per second of an encoder, after one text that does not count."""
    encode(texts[:1])
    begun = time.perf_counter()
    encode(texts)
    return len(texts) / (time.perf_counter() - begun)


def measure(given: Namespace, report: Report) -> None:
    """Print starts, then rates."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        compare(given, report, data=given.data or Path(folder))


def compare(given: Namespace, report: Report, *, data: Path) -> None:
    """Print starts, then rates, of the encoders exported into a data folder."""
    settings = Settings(data=data)
    export_text_encoder(settings)
    starts = report.table("start and one query", {"runtime": "", "cold start s": ".2f", "query p50 ms": ".1f"})
    encoders = {}
    place = settings.data / "models" / NAME
    for kind in installed_runtimes():
        encoder = encoders[kind.name] = MiniLM(place, kind.open(place / MODEL_FILE, threads=settings.threads))
        seconds = [
            float(subprocess.run([*START, place, kind.name], capture_output=True, check=True).stdout)
            for _ in range(given.rounds)
        ]
        p50, _ = percentiles(timed(encoder.encode, [[QUERY]] * 100))
        starts.row(kind.name, median(seconds), p50)
    report.note(f"a process that runs long uses {best_runtime({OPENVINO: 1.0}, long_running=True).name} here")

    declare_torchvision_operators()
    # Torch takes seconds to import: only here, where it is measured.
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(packaged_model()), device="cpu", local_files_only=True)
    peer.max_seq_length = 256

    def theirs(texts: Sequence[str], *, batch_size: int) -> np.ndarray:
        return np.asarray(
            peer.encode(list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
        )

    columns = {"encoder": "", "words": "d", "texts/s": ".1f", "of their best": ".2f", "least cosine": ".5f"}
    table = report.table("texts", columns)
    for words, count in ((6, given.texts), (200, max(2, given.texts // 6))):
        texts = passages(count, words)
        contestants: dict[str, Callable[[Sequence[str]], np.ndarray]] = {
            "sentence-transformers, batches of 32": partial(theirs, batch_size=32),
            "sentence-transformers, batches of 8": partial(theirs, batch_size=8),
            **{name: encoder.encode for name, encoder in encoders.items()},
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
            table.row(name, words, median(found), ratio, agreement)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
