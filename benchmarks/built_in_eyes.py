"""What the built-in image encoder sees in real pictures, without any word about them: real_memes' blank templates.

    python -m benchmarks.built_in_eyes

Queries find templates by the picture alone: no name, category, OCR text or description is used. Reports recall@1, 5 and
10 by half of the templates, against all templates; how often the nearest picture has the same category, by the encoder,
by the look (colours and edges) and by both; and the time of one picture. Constants were chosen on the tuned half.
"""

from __future__ import annotations

import json
import time
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.data import shared
from benchmarks.harness import Benchmark, Half, Report, half_of
from search.encoders.clip_models import BUILT_IN
from search.encoders.registry import export_image_encoder, load_image_encoder
from search.images.fingerprints import look
from search.settings import Settings

BENCHMARK = Benchmark(__doc__, needs="the folder real_memes", takes="half a minute")
BENCHMARK.option("--templates", 0, small=20, help="templates to use; 0 uses all")
BENCHMARK.option("--look", 0.5, help="share of the look where both are compared")


def measure(given: Namespace, report: Report) -> None:
    """Print recall, the nearest neighbours' categories and the time of a picture."""
    folder = shared("real_memes")
    known = json.loads((folder / "templates.json").read_text("utf-8"))
    files = {file.stem: file for file in (folder / "templates").iterdir()}
    keys = [key for key in known if key in files][: given.templates or None]
    pictures = [Image.open(files[key]).convert("RGB") for key in keys]
    with TemporaryDirectory() as data:
        settings = Settings(data=Path(data), image_encoder=BUILT_IN)
        encoder = load_image_encoder(settings, export_image_encoder(settings))
        rows = encoder.encode_images(pictures)
        times = []
        for picture in pictures:
            start, busy = time.perf_counter(), time.process_time()
            encoder.encode_images([picture])
            times.append((time.perf_counter() - start, time.process_time() - busy))
        queries = [(at, query) for at, key in enumerate(keys) for query in known[key]["queries"]]
        products = encoder.encode_text([query for _, query in queries]) @ rows.T
    own = np.array([at for at, _ in queries])
    ranks = (products > products[np.arange(len(own)), own][:, None]).sum(axis=1)
    halves = np.array([half_of(keys[at]) for at in own])
    found = report.table(
        "words find pictures", {"half": "", "recall@1": ".3f", "recall@5": ".3f", "recall@10": ".3f", "of": ",d"}
    )
    for half in Half:
        mine = ranks[halves == half]
        found.row(half, *((mine < k).mean() for k in (1, 5, 10)), len(mine))
    found.row("chance", *(min(1.0, k / len(keys)) for k in (1, 5, 10)), len(ranks))
    categories = np.array([known[key]["category"] for key in keys])
    looks = np.array([look(picture) for picture in pictures])
    alike = looks @ looks.T
    seen = rows @ rows.T
    nearest = report.table("nearest picture of the same category", {"by": "", "share": ".3f", "of": ",d"})
    both = (1 - given.look) * seen + given.look * alike
    for name, likeness in (("encoder", seen), ("look", alike), ("both", both)):
        others = np.where(np.eye(len(keys), dtype=bool), -np.inf, likeness)
        nearest.row(name, (categories[others.argmax(axis=1)] == categories).mean(), len(keys))
    speed = report.table("one picture, prepared and encoded by ONNX Runtime", {"p50 ms": ".1f", "of a core": ".1f"})
    speed.row(*(1000 * np.median(times, axis=0)))


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
