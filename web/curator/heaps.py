"""The inbox in three heaps: what is in the library already, what is sure of its category, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from indexer.inbox.acceptance import similar_memes
from search.catalogue import Catalogue, Upload, UploadState
from search.evidence import Evidence
from search.meme import Meme
from web.curator import actions


class Heap(StrEnum):
    """What a curator does with an upload."""

    KNOWN = "known"  # discard it: the library, or an earlier upload, has it
    SURE = "sure"  # accept it into the suggested category
    LOOK = "look"  # decide by looking at it


@dataclass(frozen=True)
class SortedUpload:
    """An upload with its heap and the answer that the list shows.

    `category` is the best suggestion, with its probability from 0 to 1; `meme` is the most similar one of the library;
    `twin` is the earlier upload that is the same picture.
    """

    upload: Upload
    heap: Heap
    category: str = ""
    probability: float | None = None
    meme: Meme | None = None
    twin: Upload | None = None


def sort_uploads(catalogue: Catalogue, uploads: Sequence[Upload]) -> dict[Heap, list[SortedUpload]]:
    """Return the undecided uploads that were examined or cannot be, by heap, each heap oldest first.

    An upload that is the same picture as an earlier undecided one is known: accepting both would add it twice.
    """
    heaps: dict[Heap, list[SortedUpload]] = {heap: [] for heap in Heap}
    twins = _twins(uploads)
    for upload in uploads:
        if upload.state is not UploadState.WAITING:
            found = _sorted(catalogue, upload, twins.get(upload.id))
            heaps[found.heap].append(found)
    return heaps


def _sorted(catalogue: Catalogue, upload: Upload, twin: Upload | None) -> SortedUpload:
    if upload.state is UploadState.FAILED:
        return SortedUpload(upload, Heap.LOOK)
    matches = similar_memes(catalogue, upload)
    nearest = matches[0][0] if matches else None
    if matches and matches[0][1].is_duplicate:
        return SortedUpload(upload, Heap.KNOWN, meme=nearest)
    suggested = actions.suggestions_for(upload)
    best = suggested.categories[0] if suggested.categories else None
    if suggested.sure is not None:
        best = next((one for one in suggested.categories if one.category == suggested.sure), best)
    heap = Heap.KNOWN if twin else Heap.SURE if suggested.sure is not None else Heap.LOOK
    useful = best is not None and (best.has_evidence or suggested.sure is not None)
    return SortedUpload(
        upload,
        heap,
        category=best.category if best is not None and useful else "",
        probability=best.probability if best is not None and useful else None,
        meme=nearest,
        twin=twin,
    )


def _twins(uploads: Sequence[Upload]) -> dict[int, Upload]:
    """Return, by id, the earliest upload of which a later one is a duplicate."""
    by_id = {one.id: one for one in uploads}
    found: dict[int, Upload] = {}
    for upload in uploads:
        for row in (upload.findings or {}).get("beside", ()):
            if row["id"] not in by_id or not Evidence.from_json(row["evidence"]).is_duplicate:
                continue
            first, later = sorted((upload.id, row["id"]))
            if later not in found or first < found[later].id:
                found[later] = by_id[first]
    return found
