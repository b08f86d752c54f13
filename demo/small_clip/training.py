"""Train the small CLIP contrastively, with a frozen text tower; a true caption of a picture is never its negative."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from demo.small_clip.phrases import ATTRIBUTES, codes, part, whole
from demo.small_clip.pool import scene_at
from demo.small_clip.towers import SIDE, SmallClip, normalized
from search.encoders.base import TextEncoder

PHRASES = 4  # of each scene: its caption, and parts of it
_WHOLE = 0.2  # probability that a picture is paired with its whole caption


@dataclass(frozen=True)
class TrainingSet:
    """Pictures [n, h, w, 3] uint8; MiniLM rows of the phrases about each [n, PHRASES, 384] float16; which attributes
    each phrase mentions [n, PHRASES, attributes]; and each picture's attributes [n, attributes]."""

    pictures: NDArray[np.uint8]
    rows: NDArray[np.float16]
    speaks_of: NDArray[np.bool_]
    truth: NDArray[np.int64]


def training_set(pictures: NDArray[np.uint8], encoder: TextEncoder, file: Path, *, seed: int) -> TrainingSet:
    """Return the training set of a pool of pictures; the rows of its texts are computed once and stored in a file."""
    scenes = [scene_at(number, seed) for number in range(len(pictures))]
    phrases = []
    for number, scene in enumerate(scenes):
        random = Random(f"{seed}-{number}-phrases")
        phrases.append([whole(scene), *(part(scene, random) for _ in range(PHRASES - 1))])
    if not file.exists():
        texts = sorted({one.text for some in phrases for one in some})
        at = {text: k for k, text in enumerate(texts)}
        found = np.concatenate([encoder.encode(texts[k : k + 4096]) for k in range(0, len(texts), 4096)])
        rows = found.astype(np.float16)[[[at[one.text] for one in some] for some in phrases]]
        with file.with_suffix(".part").open("wb") as opened:
            np.save(opened, rows)
        file.with_suffix(".part").rename(file)
    return TrainingSet(
        pictures,
        np.load(file),
        np.array([[one.speaks_of for one in some] for some in phrases]),
        np.array([codes(scene) for scene in scenes]),
    )


def train(
    given: TrainingSet,
    *,
    steps: int,
    batch: int,
    seed: int,
    checkpoint: Path,
    rate: float = 2e-3,
    half_precision: bool = True,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> SmallClip:
    """Return a model trained for `steps` steps; an interrupted training continues from its last checkpoint."""
    torch.manual_seed(seed)
    model = SmallClip()
    decays = [one for one in model.parameters() if one.ndim > 1]
    other = [one for one in model.parameters() if one.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decays, "weight_decay": 0.05}, {"params": other, "weight_decay": 0.0}], lr=rate, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.06)
    first = 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        first = kept["step"]
    model.train()
    for step in range(first, steps):
        loss = _loss(model, given, np.random.default_rng([seed, step]), batch, half_precision)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, float(np.log(100)))
        if (step + 1) % 10 == 0:
            on_step(step + 1, loss.item())
        if (step + 1) % 100 == 0 or step + 1 == steps:
            aside = checkpoint.with_suffix(".part")
            torch.save(
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "step": step + 1,
                },
                aside,
            )
            aside.rename(checkpoint)
    return model.eval()


def _loss(
    model: SmallClip, given: TrainingSet, random: np.random.Generator, batch: int, half_precision: bool
) -> torch.Tensor:
    chosen = random.integers(0, len(given.pictures), batch)
    phrase = np.where(random.random(batch) < _WHOLE, 0, random.integers(1, PHRASES, batch))
    # Not in channels-last layout: its backward pass in half precision is several times slower.
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half_precision):
        seen = model.visual(_shown(given.pictures[chosen], random))
    pictures = torch.nn.functional.normalize(seen.float(), dim=-1)
    texts = model.text_rows(torch.from_numpy(given.rows[chosen, phrase].astype(np.float32)))
    logits = model.logit_scale.exp() * texts @ pictures.T
    # A phrase that is also true of another picture is not a negative of it.
    truth, speaks = given.truth[chosen], given.speaks_of[chosen, phrase]
    agree = np.ones((batch, batch), dtype=bool)
    for at in range(len(ATTRIBUTES)):
        agree &= (truth[:, None, at] == truth[None, :, at]) | ~speaks[:, None, at]
    np.fill_diagonal(agree, False)
    logits = logits.masked_fill(torch.from_numpy(agree), -1e4)
    right = torch.arange(batch)
    cross = torch.nn.functional.cross_entropy
    return (cross(logits, right) + cross(logits.T, right)) / 2


def _shown(pictures: NDArray[np.uint8], random: np.random.Generator) -> torch.Tensor:
    """Return pictures augmented for one batch: slightly cropped, half of them mirrored, brightness changed."""
    side = pictures.shape[1]
    across, down = random.integers(side * 7 // 8, side + 1, 2)
    left, top = random.integers(0, side - across + 1), random.integers(0, side - down + 1)
    cut = normalized(torch.from_numpy(pictures[:, top : top + down, left : left + across]))
    cut = torch.nn.functional.interpolate(cut, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
    mirrored = torch.from_numpy(random.random(len(cut)) < 0.5)
    cut[mirrored] = cut[mirrored].flip(-1)
    light = torch.from_numpy(random.uniform(0.85, 1.15, (len(cut), 1, 1, 1)).astype(np.float32))
    return cut * light
