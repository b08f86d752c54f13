"""The curator's pages about texts: unreadable OCR text, and texts that contradict each other."""

from __future__ import annotations

from itertools import islice
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from indexer.ocr.engines import OcrEngine, RapidOcr, Tesseract, read_frames
from indexer.stages.decode import decode_content
from indexer.stages.ocr import reading_record
from indexer.stages.weigh_texts import BADLY_READ
from search.catalogue import ReadingRecord, TextReview
from search.errors import NotFound, WrongUse
from search.index.text_encoder import text_encoder_in_use
from search.meme import Meme, Text, TextKind
from search.texts.agreement import (
    Contradiction,
    TextReliability,
    disputed_spans_in,
    find_contradictions,
    is_contradicted,
)
from web.context import site
from web.curator.auth import curator_only
from web.curator.home import Card
from web.params import id_param

blueprint = Blueprint("texts", __name__, url_prefix="/curator")
SHOWN_CHARACTERS = 700  # of a text; more when a disputed part ends later
TITLES = {
    TextKind.OCR: "Text in the picture",
    TextKind.SIMPLE: "Simple description",
    TextKind.DETAILED: "Detailed analysis",
}
LOOK_AHEAD = 2  # contradictions: the one that is shown, and whether there is another


def register(app: Flask) -> None:
    """Add the pages, and their cards to the curator's home."""
    app.extensions["curator_cards"] += [badly_read_card, contradictions_card]
    app.register_blueprint(blueprint)


def badly_read_card() -> Card:
    """Return the card of pictures whose text OCR could hardly read."""
    left = len(site().catalogue.readings.badly_read(BADLY_READ))
    return Card("Unreadable text", "/curator/reading", left, "Badly read text: read it again, keep or ignore it.")


def contradictions_card() -> Card:
    """Return the card of memes whose texts contradict each other."""
    left = site().catalogue.texts.count_disputed()
    return Card("Contradictions", "/curator/contradictions", left, "Memes whose texts disagree: mark the wrong ones.")


@blueprint.get("/reading")
@curator_only
def badly_read() -> str:
    """Show the picture with the worst OCR text, its boxes and its text, or the one after those that were skipped."""
    waiting = site().catalogue.readings.badly_read(BADLY_READ)
    after = id_param(request.args, "after")
    place = next((at + 1 for at, (meme, _) in enumerate(waiting) if meme.id == after), 0)
    meme, record = waiting[place] if place < len(waiting) else (None, None)
    other = None if record is None else _other_engine(record.source)
    return render_template(
        "badly_read.html",
        meme=meme,
        record=record,
        boxes=_boxes(meme, record) if meme and record else [],
        left=len(waiting),
        other_engine=other,
        done=_done("reading"),
    )


@blueprint.post("/reading/<int:id>")
@curator_only
def review_reading(id: int) -> AnyResponse:
    """Store the curator's review of an OCR text, or read the picture again with the other engine."""
    catalogue = site().catalogue
    meme = catalogue.memes.get(id)
    source = request.form.get("source", "")
    record = next((one for one in catalogue.readings.ocr(meme.content_hash) if one.source == source), None)
    if record is None:
        raise NotFound("This text was replaced or removed.", hint="Load the page again.")
    if request.form.get("decision") == "again":
        engine = _engine(_other_engine(source))
        decoded = decode_content(site().settings, meme)
        catalogue.readings.put(reading_record(meme, engine, read_frames(engine, decoded.pictures)))
        return redirect("/curator/reading", code=303)
    text = Text(TextKind.OCR, source, record.body)
    catalogue.text_reviews.put(meme.content_hash, text, _verdict())
    return redirect(f"/curator/reading?did={id}", code=303)


def _verdict() -> TextReview:
    try:
        return TextReview(request.form.get("decision", ""))
    except ValueError:
        raise WrongUse("The decision must be right, wrong or open.") from None


def _other_engine(source: str) -> str:
    return "rapidocr" if source.startswith("tesseract") else "tesseract"


def _engine(name: str) -> OcrEngine:
    """Return the engine of a name; raise ModelUnavailable when it is not installed."""
    return RapidOcr() if name == "rapidocr" else Tesseract()


def _boxes(meme: Meme, record: ReadingRecord) -> list[str]:
    """Return the corners of each line that was read, in pixels, as the points of an SVG polygon."""
    boxes: Any = record.boxes or ()
    width, height = meme.width or 0, meme.height or 0
    return [" ".join(f"{x * width:.1f},{y * height:.1f}" for x, y in box) for _, _, box in boxes]


@blueprint.get("/contradictions")
@curator_only
def contradictions() -> str:
    """Show the newest meme whose texts contradict each other, or the one after those that were skipped."""
    after = id_param(request.args, "after")
    found: list[Contradiction] = list(
        islice(
            find_contradictions(site().catalogue, encoder=text_encoder_in_use(site().settings), after=after), LOOK_AHEAD
        )
    )
    return render_template(
        "contradictions.html",
        found=found[0] if found else None,
        skipped=after is not None,
        is_contradicted=is_contradicted,
        marked=_marked,
        titles=TITLES,
        next=found[0].meme.id if len(found) > 1 else None,
        done=_done("contradictions"),
    )


def _marked(found: Contradiction, reliability: TextReliability) -> tuple[list[tuple[str, bool]], str]:
    """Return the shown pieces of a text, each with whether another text contradicts it, and the text that is hidden."""
    body, at, pieces = reliability.text.body, 0, []
    spans = disputed_spans_in(found, reliability)
    end_shown = len(body)
    if len(body) > SHOWN_CHARACTERS:
        end_shown = body.find("\n", max(SHOWN_CHARACTERS, spans[-1][1] if spans else 0))
        end_shown = len(body) if end_shown < 0 else end_shown
    for start, end in spans:
        pieces += [(body[at:start], False), (body[start:end], True)]
        at = end
    return [*pieces, (body[at:end_shown], False)], body[end_shown:].strip()


@blueprint.post("/contradictions/<int:id>")
@curator_only
def decide_contradiction(id: int) -> AnyResponse:
    """Store that one text of a meme is wrong, that all are right, or that all are undecided again."""
    catalogue = site().catalogue
    meme = catalogue.memes.get(id)
    texts = [one for one in catalogue.texts.of(meme) if one.kind is not TextKind.OTHER]
    verdict = _verdict()
    if verdict is TextReview.WRONG:
        named = request.form.get("text", "")
        texts = [one for one in texts if f"{one.kind} {one.source}" == named]
        if not texts:
            raise NotFound("This text was replaced or removed.", hint="Load the page again.")
    with catalogue.transaction():
        for text in texts:
            catalogue.text_reviews.put(meme.content_hash, text, verdict)
    return redirect(f"/curator/contradictions?did={id}", code=303)


def _done(page: str) -> dict[str, Any] | None:
    """Return what the note about the last decision shows, and the form that undoes it."""
    id = id_param(request.args, "did")
    if id is None:
        return None
    meme = site().catalogue.memes.get(id)
    sources = [one.source for one in site().catalogue.readings.ocr(meme.content_hash)]
    return {"path": meme.path, "action": f"/curator/{page}/{id}", "source": sources[0] if sources else ""}
