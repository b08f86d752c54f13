"""Image embedding from files to rows, as a share of the bare model's rate: ViT-B-32 with random weights.

    python -m benchmarks.image_throughput
    python -m benchmarks.image_throughput --memes 768

Files are JPEGs of 1,200 × 900 pixels. The stage reads, checks, decodes and preprocesses them, runs the model and stores
the rows; the bare model gets the same preprocessed pictures repeatedly, in batches of the same size. Torch's bare rate
is for comparison. The last table decodes the same files whole and at smaller scales, and says by the built-in encoder,
whose weights are real, what that does to the rows.
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.harness import Benchmark, Report
from demo.scenes import draw_scene, random_scene
from indexer.library.scan import scan_library
from indexer.media.decode_file import decode_file
from indexer.stages.decode import decode_memes
from indexer.stages.embed_images import BATCH, DECODED_SIDES, embed_images
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.encoders.clip import Clip, read_manifest
from search.encoders.clip_prepare import prepare_clip
from search.encoders.minilm_export import declare_torchvision_operators
from search.encoders.registry import export_image_encoder, load_image_encoder
from search.encoders.runtimes import installed_runtimes
from search.settings import Settings
from search.workspace import Workspace

MODEL = "ViT-B-32"
SCENES = 32  # different ones
SIDES = (1, DECODED_SIDES, 3)  # of the model's input, that a picture's shorter side has at least
BENCHMARK = Benchmark(__doc__, needs="nothing; 2 GB of memory", takes="5 minutes; 3 with --small")
BENCHMARK.option("--memes", 256, small=32, help="files to embed")
BENCHMARK.option("--seconds", 20.0, small=2.0, help="that a bare model runs for")


def measure(given: Namespace, report: Report) -> None:
    """Print the rates of the bare models and of the stage."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(library=Path(folder) / "memes", data=Path(folder) / "data", threads=2, ocr_engine="none")
        draw(settings.library, given.memes)
        random_weights(Path(folder) / "weights.pt")
        made = prepare_clip(settings.data / "models", f"{MODEL}@{Path(folder) / 'weights.pt'}", threads=2)
        place = next((settings.data / "models").glob("clip-*"))
        prepared = np.random.default_rng(0).normal(size=(BATCH, 3, *made.picture.size)).astype(np.float32)
        bare = {"torch": rate(torch_forward(Path(folder) / "weights.pt"), prepared, seconds=given.seconds)}
        for kind in installed_runtimes():
            clip = Clip(place, read_manifest(place), runtime=kind, threads=2)
            bare[kind.name] = rate(lambda rows, clip=clip: clip.encode_prepared(rows), prepared, seconds=given.seconds)  # type: ignore[misc]
        report.note(f"agreement with torch: {made.agreement}")
        table = report.table("bare model", {"runtime": "", "pictures/s": ".1f"})
        for name, per_second in bare.items():
            table.row(name, per_second)
        compare_scales(settings, report)
        columns = {"runtime": "", "pictures/s": ".1f", "of its bare model": ".2f", "of torch's": ".2f", "failed": "d"}
        table = report.table("whole stage", columns)
        with open_catalogue(settings) as catalogue:
            scan_library(settings.library, catalogue, progress=SILENT)
            decode_memes(Workspace(settings, catalogue), progress=SILENT)
            for kind in installed_runtimes():
                clip = Clip(place, read_manifest(place), runtime=kind, threads=2)
                clip.name = f"{clip.name} by {kind.name}"
                clip.encode_prepared(list(prepared))
                begun = time.monotonic()
                done, failed = embed_images(Workspace(settings, catalogue), clip, progress=SILENT)
                per_second = done / (time.monotonic() - begun)
                table.row(kind.name, per_second, per_second / bare[kind.name], per_second / bare["torch"], failed)


def compare_scales(settings: Settings, report: Report) -> None:
    """Print what decoding at a smaller scale costs, and how near its rows are to those of whole pictures."""
    encoder = load_image_encoder(settings, export_image_encoder(replace(settings, image_encoder="built-in")))
    files = sorted(settings.library.rglob("*.jpg"))[:SCENES]
    table = report.table(
        "decoded at a scale",
        {"least sides": "", "ms of processor a file": ".1f", "cosine, mean": ".4f", "least": ".4f"},
    )
    whole = None
    for sides in (None, *SIDES):
        begun = time.process_time()
        least_side = None if sides is None else sides * encoder.side
        decoded = [
            decode_file(file, max_pixels=10**8, max_bytes=10**8, least_side=least_side).pictures[0] for file in files
        ]
        cost = 1000 * (time.process_time() - begun) / len(files)
        rows = encoder.encode_images(decoded)
        whole = rows if whole is None else whole
        cosines = (rows * whole).sum(axis=1)
        table.row("whole" if sides is None else f"{sides}", cost, cosines.mean(), cosines.min())


def draw(library: Path, count: int) -> None:
    """Write JPEGs of scenes into a library."""
    (library / "Scenes").mkdir(parents=True)
    random = Random(1)
    scenes = [draw_scene(random_scene(random), (1200, 900)) for _ in range(min(count, SCENES))]
    for at in range(count):
        picture = scenes[at % len(scenes)].copy()
        picture.putpixel((at % 1200, 7), (at % 256, at // 256, 9))  # another content
        picture.save(library / "Scenes" / f"{at}.jpg", quality=90)


def random_weights(file: Path) -> None:
    """Write a checkpoint of the model's size."""
    import torch

    declare_torchvision_operators()
    import open_clip

    torch.manual_seed(0)
    torch.save(open_clip.create_model(MODEL).state_dict(), file)


def torch_forward(file: Path) -> Callable[[np.ndarray], object]:
    """Return the original's image tower in torch."""
    import open_clip
    import torch

    torch.set_num_threads(2)
    model = open_clip.create_model(MODEL, pretrained=str(file)).eval()

    def forward(rows: np.ndarray) -> object:
        with torch.no_grad():
            return model.encode_image(torch.from_numpy(rows))

    return forward


def rate(forward: Callable[[np.ndarray], object], prepared: np.ndarray, *, seconds: float) -> float:
    """Return the pictures per second of a model that gets the same preprocessed pictures repeatedly."""
    forward(prepared)
    begun, done = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        forward(prepared)
        done += len(prepared)
    return done / (time.monotonic() - begun)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
