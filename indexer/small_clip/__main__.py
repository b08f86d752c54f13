"""Learns the small CLIP that Memetica ships: `python -m indexer.small_clip WORK OUT`.

Scenes are drawn into WORK, kept there with the texts' rows and the checkpoints, so that an interrupted run goes on; the
model is written to OUT as an open_clip folder. The same seed gives the same lessons in the same order.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import click
import torch

from indexer.small_clip.pool import draw_pool
from indexer.small_clip.towers import save_small_clip
from indexer.small_clip.training import lessons, train
from search.encoders import export_text_encoder, load_text_encoder
from search.settings import Settings

log = logging.getLogger("small_clip")


@click.command(help=__doc__)
@click.argument("work", type=click.Path(path_type=Path, file_okay=False))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--scenes", default=40_000, show_default=True, help="scenes that are drawn")
@click.option("--steps", default=4_000, show_default=True, help="batches that are learnt from")
@click.option("--batch", default=256, show_default=True, help="pictures in a batch")
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(work: Path, out: Path, scenes: int, steps: int, batch: int, seed: int, threads: int) -> None:
    """Draw, embed, learn, write."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    pictures = draw_pool(
        work / "pictures.npy",
        scenes=scenes,
        seed=seed,
        workers=threads,
        progress=lambda done, total: log.info("drawn %d of %d scenes", done, total),
    )
    settings = Settings(data=work / "data", threads=threads)
    export_text_encoder(settings)
    given = lessons(pictures, load_text_encoder(settings, often=True), work / "rows.npy", seed=seed)
    log.info("what is said of them is embedded after %.0f s", time.monotonic() - began)
    model = train(
        given,
        steps=steps,
        batch=batch,
        seed=seed,
        checkpoint=work / "checkpoint.pt",
        said=lambda step, loss: log.info("step %d: loss %.3f after %.0f s", step, loss, time.monotonic() - began),
    )
    save_small_clip(model, out)


if __name__ == "__main__":
    main()
