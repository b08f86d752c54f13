"""The demo library on disk, in the layout that Memetica reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from demo.media import broken_bytes, sample_jpeg, touch, write_duplicate, write_meme
from demo.plan import FEWEST, Plan, Planned, plan_demo
from demo.truth import DemoMeme, DemoTruth
from search.errors import DataFolderError, WrongUse

ARTIST = "demo-artist"  # the "model" of the descriptions: no model wrote them
_BATCH = 8  # memes a worker draws before it reports


def draw_demo(
    out: Path,
    *,
    memes: int = 260,
    seed: int = 1,
    now: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DemoTruth:
    """Draw a library of `memes` different memes into a new folder, and return its ground truth.

    Duplicates and broken files are added. The same arguments give the same bytes with the same libraries; `now`
    (default: midnight of today, UTC) is the date of the newest memes. `progress` is called with the number of files
    drawn and their total. Raises WrongUse for a folder that is not empty or too few memes, DataFolderError when the
    folder cannot be written.

    >>> truth = draw_demo(folder / "memes", memes=30)  # doctest: +SKIP
    """
    if memes < FEWEST:
        raise WrongUse(f"A demo needs at least {FEWEST} memes, not {memes}.", hint="Ask for more.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise WrongUse(f"{out} is not empty.", hint="Name a new folder for the demo, or empty that one.")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    plan = plan_demo(memes=memes, seed=seed, now=now or today)
    try:
        for folder in _folders(plan):
            (out / folder).mkdir(parents=True, exist_ok=True)
        total = len(plan.planned) + len(plan.truth.duplicates)
        for done, _ in enumerate(_drawn(out, plan), start=1):
            if progress is not None:
                progress(done, total)
        _write_copies(out, plan.truth, progress, total)
        _write_broken(out, plan.truth)
        for meme in plan.truth.memes:
            _write_sidecars(out, meme)
    except OSError as error:
        raise DataFolderError(
            f"The demo cannot be written to {out}: {error.strerror or error}.",
            hint="Make room or check the folder's permissions, delete what is there, and try again.",
        ) from error
    return plan.truth


def _folders(plan: Plan) -> list[str]:
    paths = [meme.path for meme in plan.truth.memes] + [one.path for one in plan.truth.duplicates]
    return sorted({path.rpartition("/")[0] for path in [*paths, *(path for path, _ in plan.truth.broken)]})


def _drawn(out: Path, plan: Plan) -> Iterator[None]:
    """Draw every meme, in one process per core; yield once for each finished meme."""
    # Animations take the longest: drawn first, none keeps one worker busy at the end.
    waiting = sorted(plan.planned, key=lambda one: one.meme.frames, reverse=True)
    moving = [one for one in waiting if one.meme.frames > 1]
    still = waiting[len(moving) :]
    batches = [[one] for one in moving] + [still[k : k + _BATCH] for k in range(0, len(still), _BATCH)]
    workers = min(
        len(batches), max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    )
    if workers == 1:
        for batch in batches:
            yield from [None] * _draw_batch(out, batch)
        return
    # A new interpreter for each worker: a fork of a process with threads may deadlock.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_draw_batch, out, batch) for batch in batches]):
            yield from [None] * done.result()


def _draw_batch(out: Path, batch: list[Planned]) -> int:
    for planned in batch:
        write_meme(planned, out / planned.meme.path)
    return len(batch)


def _write_copies(out: Path, truth: DemoTruth, progress: Callable[[int, int], None] | None, total: int) -> None:
    for done, duplicate in enumerate(truth.duplicates, start=len(truth.memes) + 1):
        file = out / duplicate.path
        write_duplicate(out / duplicate.original, file, duplicate.change)
        _write_text(file, "first-seen.txt", duplicate.first_seen.isoformat() + "\n")
        touch(file, duplicate.first_seen.timestamp())
        if progress is not None:
            progress(done, total)


def _write_broken(out: Path, truth: DemoTruth) -> None:
    for path, _ in truth.broken:
        file = out / path
        file.write_bytes(broken_bytes(file.name, sample_jpeg()))
        touch(file, min(meme.first_seen for meme in truth.memes).timestamp())


def _write_sidecars(out: Path, meme: DemoMeme) -> None:
    file = out / meme.path
    if meme.dated:
        _write_text(file, "first-seen.txt", meme.first_seen.isoformat() + "\n")
    if meme.description:
        _write_text(file, f"{ARTIST}.simple-description.txt", meme.description + "\n")
    if meme.analysis:
        _write_text(file, f"{ARTIST}.detailed-analysis.txt", meme.analysis)
    if meme.ocr:
        _write_text(file, "txt", meme.ocr)
    touch(file, meme.first_seen.timestamp())


def _write_text(file: Path, label: str, text: str) -> None:
    file.with_name(f"{file.name}.{label}").write_text(text, "utf-8")
