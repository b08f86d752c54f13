"""Suggestions for a picture file that is not stored: the memes that it matches, and categories for it."""

from __future__ import annotations

from pathlib import Path

from indexer.inbox.examiner import Examiner, inspect_file
from indexer.library.format import content_hash
from indexer.stages.train_categories import upload_features
from search.categories.suggester import Suggester
from search.encoders.base import TextEncoder
from search.evidence import Evidence
from web.schemas import Row, suggestion_row
from web.suggestions import from_suggestion


def suggest_for_file(examiner: Examiner, suggester: Suggester, encoder: TextEncoder, file: Path, *, name: str) -> Row:
    """Return an examined picture as a row; raise UnreadableFile, or OSError when the file cannot be read."""
    content = content_hash(file)
    findings, fingerprints = inspect_file(examiner, file, content_hash=content)
    suggestion = suggester.suggest(
        upload_features(fingerprints, findings, encoder=encoder, image_encoder=suggester.image_encoder),
        content_hash=content,
    )
    catalogue = examiner.workspace.catalogue
    matches = [
        (meme, Evidence.from_json(row["evidence"]))
        for row in findings["alike"]
        for meme in catalogue.memes.with_content(row["content_hash"])[:1]
    ]
    return suggestion_row(name, findings, matches=matches, suggested=from_suggestion(catalogue, suggestion))
