"""Progress of background work: what is done and missing of each kind, how quickly it goes, and the time that is left.

The rate is that of the catalogue's own counts between two looks, so that it holds for work of any process: this
server's, a `memetica index` or a `memetica describe` on the same data folder.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

from flask import Flask, current_app

from search.catalogue import UploadState
from search.encoders.hub import current_download
from search.meme import Stage
from web.background.batches import batch_worker
from web.background.categories import category_workers
from web.background.counts import counted_comparisons, counted_status
from web.context import site

SPAN = 120.0  # seconds over which a rate is measured; work that rested so long has none
MAX_SAMPLES = 200
TITLES = {
    Stage.SCAN: "Files found",
    Stage.MEDIA: "Pictures decoded",
    Stage.OCR: "Text read in pictures",
    Stage.DESCRIBE: "Descriptions",
    Stage.EMBED: "Texts prepared for search",
    Stage.PICTURES: "Pictures seen by the image encoder",
    Stage.DUPLICATES: "Compared for duplicates",
}


@dataclass(frozen=True)
class Work:
    """One kind of background work; `rate` is per second, None while nothing moves, `seconds_left` None without one."""

    name: str
    title: str
    done: int
    missing: int
    failed: int
    unit: str
    running: bool = False
    rate: float | None = None
    seconds_left: float | None = None
    note: str = ""
    page: str = ""  # where the curator sees more

    @property
    def total(self) -> int:
        """Everything that is done or missing."""
        return self.done + self.missing


class Meter:
    """Measures rates from counts that are told at any times.

    >>> times = iter([0.0, 10.0])
    >>> meter = Meter(clock=lambda: next(times))
    >>> meter.rate("ocr", 100), meter.rate("ocr", 150)
    (None, 5.0)
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._samples: dict[str, deque[tuple[float, int]]] = {}

    def rate(self, name: str, done: int) -> float | None:
        """Note a count and return how many a second were done lately; None when it did not rise, or is new."""
        now = self._clock()
        with self._lock:
            samples = self._samples.setdefault(name, deque(maxlen=MAX_SAMPLES))
            if samples and done < samples[-1][1]:
                samples.clear()  # something was taken back, or is done anew
            samples.append((now, done))
            while len(samples) > 2 and now - samples[0][0] > SPAN:
                samples.popleft()
            began, first = samples[0]
            return (done - first) / (now - began) if done > first and now > began else None


def register(app: Flask) -> None:
    """Add the meter of an application."""
    app.extensions["progress"] = Meter()


def background_work() -> list[Work]:
    """Return every kind of background work that there is, with its rate since earlier calls."""
    catalogue, meter = site().catalogue, cast(Meter, current_app.extensions["progress"])
    leased = {lease.stage for lease in catalogue.leases.held()}
    found = [
        _measured(
            meter,
            Work(one.stage.value, TITLES[one.stage], one.done, one.missing, one.failed, one.unit, note=one.note),
            leased=one.stage in leased,
        )
        for one in counted_status().stages
        if one.stage in TITLES
    ]
    compared, uncompared = counted_comparisons()
    work = Work("duplicates", TITLES[Stage.DUPLICATES], compared, uncompared, 0, "pictures")
    found.append(_measured(meter, work, leased=Stage.DUPLICATES in leased))
    waiting = catalogue.uploads.count(UploadState.WAITING)
    undecided = catalogue.uploads.count(UploadState.EXAMINED, UploadState.FAILED)
    if waiting or undecided:
        work = Work("inbox", "Uploads analysed", undecided, waiting, 0, "uploads", page="/curator/inbox")
        found.append(_measured(meter, work, leased=bool(waiting)))
    for batch in catalogue.batches.active():
        work = Work(
            f"batch-{batch.uid}",
            f"Batch: {batch.title}",
            batch.finished,
            batch.waiting,
            batch.failed,
            "decisions",
            page=f"/curator/batches/{batch.uid}",
        )
        found.append(_measured(meter, work, leased=batch_worker().error is None))
    if category_workers().is_retraining:
        found.append(Work("categories", "Category suggestions", 0, 1, 0, "trainings", running=True))
    download = current_download(site().workspace.models)
    if download is not None:
        left = download.seconds_left
        missing = max(0, (download.total or download.received) - download.received)
        found.append(
            Work(
                "download",
                f"Download of {download.model}",
                download.received,
                missing,
                0,
                "bytes",
                running=True,
                rate=download.rate,
                seconds_left=left,
                note=download.message,
            )
        )
    return found


def _measured(meter: Meter, work: Work, *, leased: bool) -> Work:
    """Return the work with its rate and the time left."""
    rate = meter.rate(work.name, work.done)
    if not work.missing:
        return work
    left = work.missing / rate if rate else None
    return Work(**vars(work) | {"running": leased or rate is not None, "rate": rate, "seconds_left": left})


def work_row(work: Work) -> dict[str, Any]:
    """Return a kind of work as a row of JSON."""
    return {
        "work": work.name,
        "title": work.title,
        "done": work.done,
        "missing": work.missing,
        "failed": work.failed,
        "unit": work.unit,
        "running": work.running,
        "rate": None if work.rate is None else round(work.rate, 3),
        "seconds_left": None if work.seconds_left is None else round(work.seconds_left),
    }
