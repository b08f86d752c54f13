"""Trains the small CLIP that Memetica ships: `python -m demo.small_clip WORK OUT`.

Scenes are drawn into WORK, kept there with the texts' rows and the checkpoints, so that an interrupted run goes on; the
model is written to OUT as an open_clip folder. The same seed gives the same batches in
the same order.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import torch

from demo.small_clip.pool import draw_pool
from demo.small_clip.towers import save_small_clip
from demo.small_clip.training import train, training_set
from search.encoders.registry import export_text_encoder, load_text_encoder
from search.settings import Settings


def main() -> None:
    """Draw the scenes, embed their texts, train, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", type=int, default=16_000, help="scenes to draw")
    parser.add_argument("--steps", type=int, default=1_600, help="training batches")
    parser.add_argument("--batch", type=int, default=256, help="pictures in a batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    work, threads = asked.work, asked.threads
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    pictures = draw_pool(
        work / "pictures.npy",
        scenes=asked.scenes,
        seed=asked.seed,
        workers=threads,
        progress=lambda done, total: logging.info("drawn %d of %d scenes", done, total),
    )
    settings = Settings(data=work / "data", threads=threads)
    export_text_encoder(settings)
    given = training_set(pictures, load_text_encoder(settings, long_running=True), work / "rows.npy", seed=asked.seed)
    logging.info("texts embedded after %.0f s", time.monotonic() - began)
    model = train(
        given,
        steps=asked.steps,
        batch=asked.batch,
        seed=asked.seed,
        checkpoint=work / "checkpoint.pt",
        on_step=lambda step, loss: logging.info(
            "step %d: loss %.3f after %.0f s", step, loss, time.monotonic() - began
        ),
    )
    save_small_clip(model, asked.out)


if __name__ == "__main__":
    main()
