"""What a batch does with the texts of memes: one marked as wrong, one read again, one written by a vision model.

Search finds the memes by the texts that they have then: each batch updates the index at its end.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from indexer.describe.options import Assignment
from indexer.describe.single import describe_meme
from indexer.library.sidecars import safe_name
from indexer.ocr.engines import load_ocr_engine, read_frames
from indexer.stages.decode import decode_content
from indexer.stages.ocr import reading_record
from indexer.stages.update_index import update_index
from search.catalogue import BatchItem, ReadingRecord, TextReview
from search.catalogue.database import text_hash
from search.errors import MemeticaError, ModelUnavailable, NotFound, WrongState
from search.index.generations import live_manifest
from search.meme import Meme, Text, TextKind
from web.background.batches import Action, Interrupted
from web.context import site

logger = logging.getLogger("memetica.web")


def text_actions() -> dict[str, Action]:
    """Return the actions, for one application."""
    stop = threading.Event()

    def describe(item: BatchItem, uid: str) -> str:
        return _describe(item, stop)

    return {
        "wrong": Action(_mark_wrong, _undo_mark, _never_known, finish=_index_texts),
        "reread": Action(_reread, _undo_reread, _never_known, finish=_index_texts),
        "describe": Action(
            describe, _undo_describe, _never_known, finish=_index_texts, stop=stop.set, takes_minutes=True
        ),
    }


def describe_model() -> str:
    """Return the name of the model that describes memes for the curator, empty without one."""
    return site().settings.describe_model.strip()


def descriptions_to_make(memes: Sequence[Meme], kind: TextKind) -> list[BatchItem]:
    """Return the decisions of a batch that describes memes.

    Of several memes, those that the model has described are left out; a single one is described again. Raises
    ModelUnavailable when no model is chosen, WrongState when every meme is described.
    """
    model = describe_model()
    if not model:
        raise ModelUnavailable(
            "No vision model is chosen to describe memes.",
            hint="Start the site with MEMETICA_DESCRIBE_MODEL=NAME, a model at the setting `endpoint`.",
        )
    if len(memes) > 1:
        missing = site().catalogue.descriptions.is_missing
        memes = [one for one in memes if missing(one.content_hash, kind, safe_name(model))]
    if not memes:
        raise WrongState(f"{model} has described all of them.", hint="Select others, or describe one on its page.")
    return [BatchItem("describe", str(one.id), json.dumps([model, kind.value]), name=one.path) for one in memes]


def _describe(item: BatchItem, stop: threading.Event) -> str:
    """Let the model describe a meme; what it had written before is kept in the result, for an undo."""
    model, kind = json.loads(item.argument)
    meme, source = _meme_of(item), safe_name(model)
    before = site().catalogue.readings.get(meme.content_hash, TextKind(kind), source)
    assignment = Assignment(model, TextKind(kind), site().settings.endpoint)
    if describe_meme(site().workspace, meme, assignment, stop=stop) is None:
        raise Interrupted
    return json.dumps([meme.content_hash, kind, source, asdict(before) if before else None])


def _undo_describe(result: str) -> None:
    content, kind, source, before = json.loads(result)
    _put_back(content, TextKind(kind), source, before)


def _meme_of(item: BatchItem) -> Meme:
    return site().catalogue.memes.get(int(item.subject))


def review_of(meme: Meme, text: Text) -> TextReview | None:
    """Return the curator's last review of a text about a meme, None without one."""
    return site().catalogue.text_reviews.of(meme.content_hash).get((text.kind, text.source, text_hash(text.body)))


def _mark_wrong(item: BatchItem, uid: str) -> str:
    meme = _meme_of(item)
    kind, source = json.loads(item.argument)
    text = _text(meme, kind, source)
    before = review_of(meme, text) or TextReview.OPEN
    site().catalogue.text_reviews.put(meme.content_hash, text, TextReview.WRONG)
    return json.dumps([meme.id, kind, source, before.value])


def _undo_mark(result: str) -> None:
    id, kind, source, before = json.loads(result)
    meme = site().catalogue.memes.get(id)
    site().catalogue.text_reviews.put(meme.content_hash, _text(meme, kind, source), TextReview(before))


def _text(meme: Meme, kind: str, source: str) -> Text:
    for text in site().catalogue.texts.of(meme):
        if (text.kind, text.source) == (kind, source):
            return text
    raise NotFound("This text was replaced or removed.", hint="Load the page again.")


def _reread(item: BatchItem, uid: str) -> str:
    """Read a meme with the site's OCR engine; what it had read before is kept in the result, for an undo."""
    meme, catalogue = _meme_of(item), site().catalogue
    engine = load_ocr_engine(site().settings)
    if engine is None:
        raise ModelUnavailable("No OCR engine is chosen.", hint="Choose one with the setting `ocr_engine`.")
    record = reading_record(meme, engine, read_frames(engine, decode_content(site().settings, meme).pictures))
    known = [one for one in catalogue.readings.ocr(meme.content_hash) if one.source == record.source]
    catalogue.readings.put(record)
    return json.dumps([meme.content_hash, record.source, asdict(known[0]) if known else None])


def _undo_reread(result: str) -> None:
    content, source, before = json.loads(result)
    _put_back(content, TextKind.OCR, source, before)


def _put_back(content: str, kind: TextKind, source: str, before: dict[str, Any] | None) -> None:
    """Restore what a source had read or written about a content: a record's values, or nothing."""
    readings = site().catalogue.readings
    if before is None:
        readings.remove(content, kind, source)
    else:
        readings.put(ReadingRecord(**before | {"kind": TextKind(before["kind"])}))


def _index_texts(items: Sequence[BatchItem]) -> None:
    """Let search find the memes of a batch by the texts that they have now."""
    if live_manifest(site().workspace.index) is None:
        return  # the first `memetica index` takes them in
    try:
        update_index(site().workspace, [int(item.subject) for item in items], encoder=site().encoder())
    except MemeticaError as error:
        logger.warning("New texts are not in the index before the next `memetica index`: %s", error.message)


def _never_known(item: BatchItem) -> str:
    return ""  # doing it again changes nothing
