"""The JSON rows of the API and the command, and the addresses of memes and categories."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from search import catalogue
from search.encoders.clip_models import display_name, spec_of
from search.errors import MemeticaError
from search.meme import Meme, Text
from search.results import Answer, Hit
from web.addresses import local
from web.formatting import without_folders

if TYPE_CHECKING:  # these import the catalogue, decoders, the index: a command that a server answers needs none of it
    from indexer.curation.duplicates import Proposal
    from indexer.status import LibraryStatus
    from search.catalogue import Operation, Upload
    from search.catalogue.journal import Merge, Trash
    from search.encoders.hub import Download
    from search.evidence import Evidence
    from search.index.status import IndexStatus
    from web.suggestions import SuggestedCategories

Row = dict[str, Any]


def page_url(meme: Meme) -> str:
    """Return the address of a meme's page, as the library format defines it."""
    return local(f"/memes/{quote(meme.path, safe='/')}.html")


def file_url(meme: Meme) -> str:
    """Return the address of a meme's file."""
    return local(f"/memes/{quote(meme.path, safe='/')}")


def thumbnail_url(meme: Meme) -> str | None:
    """Return the address of a meme's thumbnail, or None without a thumbnail."""
    return local(f"/thumbnails/{meme.content_hash}.webp") if meme.has_thumbnail else None


def still_url(meme: Meme, number: int = 0) -> str:
    """Return the address of a picture of a file that not all browsers show; of a video, of its frames from 0 on."""
    return local(f"/thumbnails/{meme.content_hash}.{number}.webp")


def picture_url(meme: Meme) -> str:
    """Return the address of what an `img` shows of a meme: its file, or a picture of it that every browser shows."""
    return file_url(meme) if meme.plays_in_browsers else still_url(meme)


def category_url(category: str, *, page: int = 1) -> str:
    """Return the address of a category's list, at one of its pages."""
    return local(f"/memes/{quote(category, safe='')}/index.html") + (f"?page={page}" if page > 1 else "")


def hit_row(hit: Hit) -> Row:
    """Return a hit as a row."""
    return {
        **_identity(hit.meme),
        "score": round(hit.score, 4),
        "certain": hit.certain,
        "why": {field.value: round(share, 4) for field, share in hit.explanation.items()},
        "reasons": [reason.to_json() for reason in hit.reasons],
        "snippets": [
            {"field": snippet.field.value, "source": snippet.source, "html": snippet.html} for snippet in hit.snippets
        ],
        "variants": hit.variants,
        "variant_ids": list(hit.variant_ids),
    }


def meme_row(meme: Meme, texts: Sequence[Text], *, tags: Sequence[str] = ()) -> Row:
    """Return everything known about a meme as a row, each text with its source."""
    return {
        **_identity(meme),
        "file": file_url(meme),
        "content_hash": meme.content_hash,
        "size": meme.size,
        "frames": meme.frames,
        "seconds": meme.seconds,
        "tags": list(tags),
        "texts": [
            {
                "kind": text.kind.value,
                "source": text.source,
                "body": text.body,
                "sidecar": text.sidecar,
                "made_at": _iso(text.made_at),
            }
            for text in texts
        ],
    }


def proposal_row(proposal: Proposal) -> Row:
    """Return a group of duplicates as a row: its memes, the one to keep and why, and the evidence."""
    group = proposal.group
    return {
        "key": proposal.key,
        "tier": group.tier.value,
        "members": [_identity(meme) | {"size": meme.size} for meme in proposal.memes],
        "keep": proposal.kept.id if group.tier.is_duplicate else None,
        "reason": proposal.reason if group.tier.is_duplicate else "",
        "sure": proposal.is_sure and group.tier.is_duplicate,
        "evidence": [
            {"a": group.representative.id, "b": member.meme.id}
            | json.loads(member.evidence.to_json())
            | {"in_words": member.evidence.in_words()}
            for member in group.members
            if member.evidence is not None
        ],
    }


def trash_row(operation: Operation, data: Path) -> Row:
    """Return a merge or a removal as a row: the kept meme, empty without one, and the files in the trash."""
    intent = cast("Merge | Trash", operation.intent)
    return {
        "id": operation.uid,
        "kept": getattr(intent, "kept", ""),
        "removed": [path for path, _ in intent.removed],
        "folder": str(data / "trash" / operation.uid),
        "at": _iso(operation.begun_at),
    }


def suggestion_row(
    file: str, findings: Mapping[str, Any], *, matches: Sequence[tuple[Meme, Evidence]], suggested: SuggestedCategories
) -> Row:
    """Return an examined picture as a row: its text, the memes that it matches and the suggested categories."""
    return {
        "file": file,
        "text": findings["text"],
        "tags": _tag_rows(findings),
        **_match_rows(matches),
        **_suggested_rows(suggested),
    }


def upload_row(
    upload: Upload, *, matches: Sequence[tuple[Meme, Evidence]], suggested: SuggestedCategories, has_preview: bool
) -> Row:
    """Return an upload as a row: its state, the findings of its examination, and the decision."""
    findings = upload.findings or {}
    return {
        "id": upload.id,
        "file": upload.name,
        "state": upload.state.value,
        "content_hash": upload.content_hash,
        "size": upload.size,
        "came_at": _iso_seconds(upload.received_at),
        "preview": local(f"/curator/inbox/{upload.id}/preview.webp") if has_preview else None,
        "text": findings.get("text", ""),
        "tags": _tag_rows(findings),
        **_match_rows(matches),
        **_suggested_rows(suggested),
        "reason": upload.reason or findings.get("unread", "") or findings.get("uncompared", ""),
        "hint": upload.hint,
        "category": upload.category,
        "path": upload.path,
        "meme": upload.meme_id if upload.state is catalogue.UploadState.ACCEPTED else None,
        "indexed": upload.state is catalogue.UploadState.ACCEPTED and not upload.unindexed,
        "decided_at": _iso_seconds(upload.decided_at),
    }


def _tag_rows(findings: Mapping[str, Any]) -> list[Row]:
    """Return the categories whose names the picture fits; none without an image encoder."""
    return [{"category": category, "share": share} for category, share in findings.get("tags", ())]


def _match_rows(matches: Sequence[tuple[Meme, Evidence]]) -> Row:
    """Return the memes that a picture matches, duplicates and variants separately."""
    rows = [
        (
            evidence.tier is not None and evidence.tier.is_duplicate,
            {
                "id": meme.id,
                "path": meme.path,
                "url": page_url(meme),
                "category": meme.category,
                "tier": evidence.tier.value if evidence.tier else None,
                "in_words": evidence.in_words(),
            },
        )
        for meme, evidence in matches
    ]
    return {
        "duplicates": [row for is_duplicate, row in rows if is_duplicate],
        "variants": [row for is_duplicate, row in rows if not is_duplicate],
    }


def _suggested_rows(suggested: SuggestedCategories) -> Row:
    """Return the suggested categories; `abstain` is true when none of them is sure."""
    return {
        "suggestions": [
            {
                "category": one.category,
                "probability": None if one.probability is None else round(one.probability, 4),
                "why": one.why,
                "neighbours": list(one.memes),
            }
            for one in suggested.categories
        ],
        "sure": suggested.sure,
        "abstain": suggested.sure is None,
        "sentence": suggested.sentence,
        "neighbours": [one.id for one in suggested.neighbors],
    }


def answer_row(answer: Answer) -> Row:
    """Return an answer as the body of an HTTP response."""
    return {
        "hits": [hit_row(hit) for hit in answer.hits],
        "total": answer.total,
        "exact": answer.is_exact,
        "weaker": answer.weaker,
        "took_ms": answer.took_ms,
        "query": answer.understood.to_json(),
        "facets": {name: dict(counts) for name, counts in answer.facets.items()},
    }


def error_row(error: MemeticaError) -> Row:
    """Return an error as the body of an HTTP response."""
    message, hint = without_folders(error.message), without_folders(error.hint)
    return {"error": {"code": error.code, "message": message, "hint": hint}}


def status_rows(
    status: LibraryStatus, index: IndexStatus | MemeticaError, *, download: Download | None = None
) -> Iterator[Row]:
    """Yield a row for each stage, one for the index, one for each damaged file that is shown, and for each failure."""
    for stage in status.stages:
        yield {
            "stage": stage.stage.value,
            "done": stage.done,
            "missing": stage.missing,
            "failed": stage.failed,
            "unit": stage.unit,
            "note": stage.note,
        }
    yield {"index": index_row(index)}
    if download is not None:
        yield {"download": download_row(download)}
    for meme in status.damaged:
        yield {"damaged": {"path": meme.path, "damage": meme.damage, "share": round(meme.share_decoded, 3)}}
    for failure in status.failures:
        yield {
            "failure": {
                "stage": failure.stage.value,
                "subject": failure.subject,
                "source": failure.source,
                "reason": failure.reason,
                "hint": failure.hint,
                "failed_at": _iso(failure.failed_at),
                "attempts": failure.attempts,
            }
        }


def download_row(download: Download | None) -> Row | None:
    """Return the progress of a model's download as a row; None when there is none."""
    if download is None:
        return None
    left = download.seconds_left
    return {
        "model": download.model,
        "received": download.received,
        "total": download.total,
        "bytes_a_second": round(download.rate),
        "seconds_left": None if left is None else round(left),
        "message": download.message,
    }


def index_row(index: IndexStatus | MemeticaError) -> Row:
    """Return the status of the index as a row."""
    if isinstance(index, MemeticaError):
        return {"fresh": False, **error_row(index)}
    return {
        "fresh": index.fresh,
        "generation": index.generation,
        "built_at": _iso(index.built_at),
        "memes": index.memes,
        "rows": dict(index.rows),
        "text_encoder": display_name(spec_of(index.text_encoder)),
        "reads": index.reads,
        "image_encoder": display_name(spec_of(index.image_encoder)),
        "eyes": index.eyes,
        "missing": list(index.missing),
    }


def _identity(meme: Meme) -> Row:
    return {
        "id": meme.id,
        "path": meme.path,
        "url": page_url(meme),
        "category": meme.category,
        "first_seen": _iso(meme.first_seen),
        "type": meme.type.value,
        "width": meme.width,
        "height": meme.height,
        "thumbnail": thumbnail_url(meme),
    }


def _iso_seconds(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
