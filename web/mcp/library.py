"""What the tools do, over one workspace: the same search, suggestions and inbox as the site and the command."""

from __future__ import annotations

import base64
import binascii
import html
import io
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from indexer.inbox.examiner import Examiner
from indexer.inbox.reception import receive
from indexer.library.links import open_file
from indexer.media.decode import REQUEST, decode
from indexer.media.raster import telling_picture
from indexer.media.thumbnails import thumbnail_path
from indexer.ocr.engines import load_ocr_engine
from indexer.stages.train_categories import open_suggester
from search.categories.suggester import Suggester
from search.encoders.base import TextEncoder
from search.errors import MemeticaError, WrongUse
from search.index.text_encoder import load_text_encoder_in_use, text_encoder_in_use
from search.meme import Likeness, MediaType, Meme, Sort
from search.results import Answer
from search.searcher import Searcher
from search.workspace import Workspace
from web.picture_suggestions import suggest_for_file
from web.schemas import meme_row

Row = dict[str, Any]
MOST_HITS = 50
PICTURE_SIDE = 1024  # pixels: what a vision model reads well, a few hundred kilobytes
MOST_PICTURE_BYTES = 50_000_000  # of a file that is decoded for a picture; of larger ones the thumbnail is shown
TEXT_LETTERS = 4000  # of a text; an essay of a model would fill the assistant's memory


class Library:
    """Opens searcher, encoder and examiner when a call first needs them. Any thread may use it; close it after use."""

    def __init__(self, workspace: Workspace, *, text_encoder: TextEncoder | None = None) -> None:
        self.workspace = workspace
        self._own_encoder = text_encoder
        self._encoder = text_encoder
        self._searcher: Searcher | None = None
        self._examiner: Examiner | None = None
        self._suggester: Suggester | None = None
        self._lock = threading.Lock()
        self._examining = threading.Lock()  # one picture at a time: OCR uses every core

    def close(self) -> None:
        """Close the searcher; the workspace is the caller's."""
        with self._lock:
            if self._searcher is not None:
                self._searcher.close()
                self._searcher = None

    def search(self, query: str, *, limit: int, offset: int, category: str | None, newest_first: bool) -> Row:
        """Return the hits of a query."""
        if not query.strip() and not category:
            raise WrongUse("There is nothing to search for.", hint="Say what the meme shows, says or means.")
        answer = self._opened().search(
            query,
            k=_limit(limit),
            offset=max(0, offset),
            category=category or None,
            sort=Sort.NEWEST if newest_first else Sort.RELEVANCE,
            collapse=True,
        )
        return _answer(answer)

    def similar(self, meme: str, *, by: str, limit: int) -> Row:
        """Return the memes that are like a meme."""
        if by not in set(Likeness):
            raise WrongUse(f"There is no likeness {by[:40]!r}.", hint=f"Choose one of {', '.join(Likeness)}.")
        return _answer(self._opened().similar(self.find(meme), by=Likeness(by), k=_limit(limit)))

    def show(self, meme: str) -> Row:
        """Return everything known about a meme, long texts shortened."""
        found = self.find(meme)
        catalogue = self.workspace.catalogue
        row = meme_row(found, catalogue.texts.of(found), tags=catalogue.tags.of(found.content_hash))
        for name in ("url", "file", "thumbnail"):  # addresses of the site, which may not be served
            del row[name]
        for text in row["texts"]:
            if len(text["body"]) > TEXT_LETTERS:
                text["body"] = f"{text['body'][:TEXT_LETTERS]} … ({len(text['body']):,} characters)"
        return row

    def picture(self, meme: str) -> tuple[bytes, str] | None:
        """Return a picture of a meme and its format, "jpeg" or "webp"; None when there is none to be had."""
        found = self.find(meme)
        if found.type is MediaType.IMAGE and found.size <= MOST_PICTURE_BYTES:
            with suppress(MemeticaError, OSError):
                return self._decoded(found), "jpeg"
        with suppress(OSError):
            return thumbnail_path(self.workspace.data, found.content_hash).read_bytes(), "webp"
        return None

    def _decoded(self, meme: Meme) -> bytes:
        settings = self.workspace.settings
        with tempfile.TemporaryDirectory(prefix="memetica-mcp-") as folder:
            copy = Path(folder) / f"picture{Path(meme.path).suffix}"
            with open_file(settings.library, meme.path, follow_links=settings.follow_links) as source:
                copy.write_bytes(source.read(MOST_PICTURE_BYTES))
            decoded = decode(
                copy, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes, limits=REQUEST, side=PICTURE_SIDE
            )
        out = io.BytesIO()
        telling_picture(decoded.pictures).save(out, "JPEG", quality=85)
        return out.getvalue()

    def categories(self) -> list[Row]:
        """Return every category and its number of memes."""
        return [{"category": name, "memes": memes} for name, memes, _ in self.workspace.catalogue.memes.categories()]

    def suggest(self, picture: bytes | Path) -> Row:
        """Return a picture's text, the memes that it matches, and categories for it; the picture is not stored."""
        with _as_file(picture, most=self.workspace.settings.upload_bytes) as file, self._examining:
            if not self.workspace.catalogue.memes.count():
                raise WrongUse("There are no memes to learn from.", hint="Run `memetica index MEMES` first.")
            encoder = self._loaded()
            if self._examiner is None:
                engine = load_ocr_engine(self.workspace.settings)
                self._examiner = Examiner.open(
                    self.workspace, engine=engine, no_engine_reason="No OCR engine is chosen."
                )
            if self._suggester is None:
                self._suggester = open_suggester(self.workspace, encoder=encoder)
            row = suggest_for_file(self._examiner, self._suggester, encoder, file, name="")
        for match in (*row["duplicates"], *row["variants"]):
            del match["url"]
        return {name: value for name, value in row.items() if name != "file"}

    def upload(self, picture: bytes | Path, *, name: str, key_name: str) -> Row:
        """Put a picture into the inbox and return its row; the curator decides about it."""
        with (
            _as_file(picture, most=self.workspace.settings.upload_bytes) as file,
            file.open("rb") as source,
        ):
            upload = receive(self.workspace, source, name=name or "picture", received_by=f"key:{key_name}")
        return {"id": upload.id, "file": upload.name, "state": upload.state.value, "size": upload.size}

    def find(self, meme: str) -> Meme:
        """Return a meme by its id or its path; raise NotFound."""
        meme = meme.strip()
        memes = self.workspace.catalogue.memes
        return memes.get(int(meme)) if re.fullmatch("[0-9]{1,18}", meme) else memes.at(meme)

    def _opened(self) -> Searcher:
        with self._lock:
            if self._searcher is None:
                self._searcher = Searcher(
                    self.workspace,
                    text_encoder=self._own_encoder,
                    load_texts=lambda settings, name: self._loaded(),
                )
            return self._searcher

    def _loaded(self) -> TextEncoder:
        """Return the text encoder of the live index; what was learnt from another's embeddings is forgotten."""
        settings = self.workspace.settings
        if self._own_encoder is not None:
            return self._own_encoder
        if self._encoder is None or self._encoder.name != text_encoder_in_use(settings):
            self._encoder, self._suggester = load_text_encoder_in_use(settings, for_queries=True), None
        return self._encoder


def decoded_base64(text: str) -> bytes:
    """Return the bytes of a base64 text, which may be a data: address; raise WrongUse when it is not one."""
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongUse(f"The picture is not valid base64: {error}.", hint="Send the file's bytes as base64.") from error


@contextmanager
def _as_file(picture: bytes | Path, *, most: int) -> Iterator[Path]:
    if isinstance(picture, Path):
        if not picture.is_file():
            raise WrongUse(f"There is no file {picture}.")
        yield picture
        return
    if len(picture) > most:
        raise WrongUse(f"The picture has {len(picture):,} bytes; the limit is {most:,}.")
    with tempfile.TemporaryDirectory(prefix="memetica-mcp-") as folder:
        file = Path(folder) / "picture"
        file.write_bytes(picture)
        yield file


def _limit(limit: int) -> int:
    if not 1 <= limit <= MOST_HITS:
        raise WrongUse(f"`limit` must be from 1 to {MOST_HITS}, not {limit}.")
    return limit


def _answer(answer: Answer) -> Row:
    return {
        "matches": answer.total,
        "similar": answer.weaker,  # further hits, which probably do not answer
        "hits": [
            {
                "id": hit.meme.id,
                "path": hit.meme.path,
                "category": hit.meme.category,
                "first_seen": f"{hit.meme.first_seen:%Y-%m-%d}",
                "type": hit.meme.type.value,
                "matches": hit.certain,
                "score": round(hit.score, 3),
                "reasons": [reason.in_words() for reason in hit.reasons],
                "snippets": [
                    {"field": one.field.value, "text": html.unescape(re.sub(r"</?mark>", "", one.html))}
                    for one in hit.snippets
                ],
            }
            for hit in answer.hits
        ],
        "notices": list(answer.understood.notices),
    }
