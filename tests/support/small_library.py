"""Libraries of a few or of many small memes whose texts a test chooses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from indexer.pipeline import index_library
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder

FIRST = datetime(2024, 1, 1, tzinfo=UTC)


@contextmanager
def searched_library(
    folder: Path,
    ocr: Mapping[str, str],
    *,
    descriptions: Mapping[str, str] | None = None,
    apart: timedelta,
    encoder: HashingTextEncoder | None = None,
) -> Iterator[tuple[Searcher, Settings]]:
    """Draw and index a library, and yield its searcher and settings.

    `ocr` and `descriptions` are the texts of memes by path. Each meme is first seen `apart` after the one before it.
    """
    noise = np.random.default_rng(0)
    for number, (path, text) in enumerate(ocr.items()):
        file = folder / "memes" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        with file.open("wb") as opened:
            Image.fromarray(pixels).resize((24, 24)).save(opened, "PNG")
        texts = {
            ".txt": text,
            ".first-seen.txt": (FIRST + number * apart).isoformat().replace("+00:00", "Z"),
            ".tester.simple-description.txt": (descriptions or {}).get(path, ""),
        }
        for suffix, body in texts.items():
            if body and len((file.name + suffix).encode()) <= 255:
                file.with_name(file.name + suffix).write_text(body, "utf-8")
    with indexed_searcher(folder, encoder=encoder) as found:
        yield found


@contextmanager
def indexed_searcher(folder: Path, *, encoder: HashingTextEncoder | None = None) -> Iterator[tuple[Searcher, Settings]]:
    """Index `folder`/memes into `folder`/data with the readable encoder, and yield its searcher and settings."""
    encoder = encoder or HashingTextEncoder()
    settings = Settings(
        library=folder / "memes", data=folder / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )
    with open_catalogue(settings) as catalogue:
        workspace = Workspace(settings, catalogue)
        index_library(workspace, progress=SILENT, load_encoder=lambda _: encoder)
        with Searcher(workspace, text_encoder=encoder) as searcher:
            yield searcher, settings
