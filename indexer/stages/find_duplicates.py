"""The duplicates stage: compare each new content with its candidates, each pair once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from time import monotonic

import numpy as np
from PIL import Image

from indexer.library.links import checked_file
from indexer.media.decode import DecodedMedia
from indexer.stages.decode import decode_content, map_in_threads
from indexer.work.progress import SILENT, Progress, StageReport, track_stage
from search.catalogue import Pair
from search.duplicates.candidates import KEYPOINTS, Signature, open_candidates, stored_signature, texts_by_content
from search.duplicates.compare_frames import compare_frames
from search.duplicates.comparison import PreparedPicture, prepare
from search.duplicates.keypoints.index import unpack_keypoints
from search.duplicates.origin.animations import Moving, with_animation_traces
from search.duplicates.origin.pictures import LOSSLESS, Original, with_traces
from search.duplicates.origin.resaving import Saving
from search.duplicates.picture import disable_opencv_threads
from search.duplicates.wording import read_lines
from search.errors import UnreadableFile
from search.evidence import COMPARISON, Edit, Tier
from search.images.fingerprints import PDQ
from search.index.generations import live_image_encoder
from search.index.reader import PictureVectors, open_picture_vectors
from search.meme import Meme, Stage
from search.settings import Settings
from search.workspace import Workspace

BATCH = 64  # contents per transaction: a killed run repeats the comparisons of at most one batch
CACHED = 160  # prepared contents in memory: about 3 MB each

ORIGINALS = 6  # decoded files in memory: up to 13 MB each
_PART = 1 << 20  # bytes read at a time
LOSSLESS_CODECS = {"png", "bmp", "webp-lossless"}

Load = Callable[[Meme], Sequence[Image.Image]]


def find_duplicates(workspace: Workspace, *, progress: Progress = SILENT, load: Load | None = None) -> StageReport:
    """Compare each new content with its candidates and store the evidence; the report counts contents.

    It may be interrupted and continues in the next run. Contents that cannot be loaded are recorded as failed, and the
    next run tries them again. `load` returns a meme's frames; by default they are decoded from the library. Of two
    stills or two animations that are duplicates, both files are decoded again to tell which was made from the other.

    >>> import indexer
    >>> report = indexer.find_duplicates(workspace)
    >>> report.done, report.failed
    (9, 0)
    """
    started = monotonic()
    disable_opencv_threads()
    memes = _decoded_contents(workspace)
    vectors = open_picture_vectors(workspace.index)
    waiting = _waiting(workspace, memes, vectors)
    workspace.catalogue.failures.forget(Stage.DUPLICATES)
    comparison = _Comparison(workspace, memes, load=load or _decoded(workspace.settings), vectors=vectors)
    with track_stage(progress, Stage.DUPLICATES, len(waiting), unit="pictures"):
        done = comparison.search(waiting, progress=progress)
    between = comparison.unconnected_pairs()
    with track_stage(progress, Stage.DUPLICATES, len(between), unit="pairs of neighbours"):
        comparison.compare_pairs(between, progress=progress)
    for content, error in comparison.unreadable.items():
        workspace.catalogue.failures.record(Stage.DUPLICATES, memes[content].path, error, content_hash=content)
    return StageReport(Stage.DUPLICATES, done, len(comparison.unreadable), monotonic() - started)


def count_uncompared(workspace: Workspace) -> int:
    """Return the number of contents that `find_duplicates` would compare with their candidates.

    >>> count_uncompared(workspace)
    9
    """
    return workspace.catalogue.pairs.count_unsearched(_search_version(live_image_encoder(workspace.index)))


def _decoded_contents(workspace: Workspace) -> dict[str, Meme]:
    """Return a meme of each decoded content, by its hash; failures of decoding are recorded already."""
    memes: dict[str, Meme] = {}
    for meme in workspace.catalogue.memes.everything():
        if meme.has_thumbnail:
            memes.setdefault(meme.content_hash, meme)
    return memes


def _waiting(workspace: Workspace, memes: dict[str, Meme], vectors: PictureVectors | None) -> set[str]:
    # Another image encoder finds other candidates: compared pairs stay, and contents are searched again.
    return memes.keys() - workspace.catalogue.pairs.searched(_search_version(vectors.encoder if vectors else ""))


def _search_version(image_encoder: str) -> str:
    return f"{COMPARISON} {image_encoder}" if image_encoder else COMPARISON


def _decoded(settings: Settings) -> Load:
    def load(meme: Meme) -> Sequence[Image.Image]:
        return decode_content(settings, meme).comparable

    return load


def original_of(decoded: DecodedMedia) -> Original:
    """Return a decoded still as `search.duplicates.origin.pictures` examines it.

    >>> from indexer.media.decode import decode
    >>> Image.new("RGB", (30, 20), "red").save("red.jpg")
    >>> original_of(decode(Path("red.jpg"), max_pixels=1000, max_bytes=1000)).steps.shape
    (8, 8)
    """
    steps = np.reshape(decoded.steps, (8, 8)).astype(np.float64) if decoded.steps else None
    if decoded.codec in LOSSLESS_CODECS and decoded.pictures[0].size == (decoded.width, decoded.height):
        steps = LOSSLESS
    tables = tuple(decoded.tables[at : at + 64] for at in range(0, len(decoded.tables), 64))
    saving = Saving(tables, decoded.subsampling) if tables else None
    return Original(decoded.pictures[0], steps, decoded.corner, saving, decoded.quantizers)


def moving_of(decoded: DecodedMedia) -> Moving:
    """Return a decoded animation or film as `search.duplicates.origin.animations` examines it.

    >>> from indexer.media.decode import decode
    >>> Image.new("P", (30, 20)).save("still.gif")
    >>> moving_of(decode(Path("still.gif"), max_pixels=1000, max_bytes=1000)).has_palette
    True
    """
    return Moving(
        decoded.pictures,
        decoded.frames,
        has_palette=decoded.codec == "gif",
        is_lossless=decoded.codec in LOSSLESS_CODECS,
    )


def is_cut_short(settings: Settings, one: Meme, other: Meme) -> bool:
    """Return whether one of two files is damaged and all of it is the beginning of the other, as of a broken download.

    >>> one, other = workspace.catalogue.memes.everything()[:2]
    >>> is_cut_short(workspace.settings, one, other)
    False
    """
    short, long = sorted((one, other), key=lambda meme: meme.size)
    if not short.damage or not 0 < short.size < long.size:
        return False
    try:
        files = [
            checked_file(settings.library, meme.path, follow_links=settings.follow_links) for meme in (short, long)
        ]
        with files[0].open("rb") as cut, files[1].open("rb") as whole:
            left = short.size
            while left > 0:
                part = cut.read(min(left, _PART))
                if not part or part != whole.read(len(part)):
                    return False
                left -= len(part)
    except (OSError, UnreadableFile):
        return False  # that is told when it is decoded again
    return True


class _Comparison:
    """One run: prepared pictures in a cache, and the pairs compared so far."""

    def __init__(
        self, workspace: Workspace, memes: dict[str, Meme], *, load: Load, vectors: PictureVectors | None
    ) -> None:
        self._workspace = workspace
        self._memes = memes
        self._vectors = vectors
        self._texts = texts_by_content(workspace.catalogue)
        self._compared = workspace.catalogue.pairs.compared()
        self.unreadable: dict[str, UnreadableFile] = {}
        self._search_again: set[str] = set()  # contents that the next run searches again

        @lru_cache(maxsize=CACHED)
        def ready(content: str) -> tuple[PreparedPicture, ...]:
            bits = [np.frombuffer(row, np.uint8) for row in workspace.catalogue.pictures.fingerprints_of(content, PDQ)]
            keypoints = [
                unpack_keypoints(row) for row in workspace.catalogue.pictures.fingerprints_of(content, KEYPOINTS)
            ]
            pictures = self._loaded(content, load)
            # The lines of an animation or a video are not known by frame.
            boxes = workspace.catalogue.texts.boxes_of(memes[content]) if len(pictures) == 1 else ()
            lines = read_lines(boxes)
            if not len(bits) == len(keypoints) == len(pictures):
                return tuple(prepare(picture, lines=lines) for picture in pictures)
            known = zip(pictures, bits, keypoints, strict=True)
            return tuple(prepare(picture, bits=row, keypoints=own, lines=lines) for picture, row, own in known)

        @lru_cache(maxsize=ORIGINALS)
        def original(content: str) -> Original:
            return original_of(decode_content(workspace.settings, memes[content]))

        @lru_cache(maxsize=ORIGINALS)
        def moving(content: str) -> Moving:
            return moving_of(decode_content(workspace.settings, memes[content]))

        self._ready = ready
        self._original = original
        self._moving = moving

    def _loaded(self, content: str, load: Load) -> Sequence[Image.Image]:
        if content in self.unreadable:
            raise self.unreadable[content]
        try:
            return load(self._memes[content])
        except UnreadableFile as error:
            self.unreadable[content] = error
            raise

    def search(self, waiting: Collection[str], *, progress: Progress) -> int:
        """Compare contents with their candidates; return how many contents were done."""
        if not waiting:
            return 0  # the candidates of a large library take seconds to open
        candidates = open_candidates(
            self._workspace.catalogue,
            image_index=None if self._vectors is None else self._vectors.pictures,
            folder=self._workspace.keypoints,
        )
        place_of = {content: place for place, content in enumerate(candidates.hashes)}
        # Similar pictures come one after another, so that each is loaded once.
        places = candidates.sort_by_likeness([place_of[content] for content in waiting if content in place_of])
        done, version = 0, _search_version(self._vectors.encoder if self._vectors else "")

        def signature(place: int) -> Signature:
            content = candidates.hashes[place]
            text, image_encoder = self._texts.get(content, ""), "" if self._vectors is None else self._vectors.encoder
            return stored_signature(self._workspace.catalogue, content, text=text, image_encoder=image_encoder)

        likely = candidates.finder(places, signatures=signature)
        for batch in _batches(likely, places, threads=self._workspace.settings.threads):
            keys = [(candidates.hashes[place], candidates.hashes[other]) for place, others in batch for other in others]
            pairs = list(self._pairs(keys))
            contents = [candidates.hashes[place] for place, _ in batch]
            with self._workspace.catalogue.transaction():
                self._workspace.catalogue.pairs.add(pairs)
                found = (content for content in contents if content not in self._search_again)
                self._workspace.catalogue.pairs.mark_searched(found, version=version)
            done += len(batch)
            progress.advance(len(batch))
        return done

    def unconnected_pairs(self) -> list[tuple[str, str]]:
        """Return the uncompared pairs of duplicates of the same content, because that content may be removed."""
        near: dict[str, set[str]] = {}
        for tier in Tier:
            if tier.is_duplicate:
                for pair in self._workspace.catalogue.pairs.all(tier):
                    near.setdefault(pair.one, set()).add(pair.other)
                    near.setdefault(pair.other, set()).add(pair.one)
        keys = (key for others in near.values() for key in combinations(sorted(others), 2))
        return [key for key in dict.fromkeys(keys) if key not in self._compared]

    def compare_pairs(self, keys: Sequence[tuple[str, str]], *, progress: Progress) -> None:
        """Compare pairs of contents in batches."""
        for start in range(0, len(keys), BATCH):
            batch = keys[start : start + BATCH]
            self._workspace.catalogue.pairs.add(list(self._pairs(batch)))
            progress.advance(len(batch))

    def _pairs(self, keys: Iterable[tuple[str, str]]) -> Iterator[Pair]:
        """Yield the pairs that were not compared before, with their evidence."""
        fresh = []
        for one, other in keys:
            key = (one, other) if one < other else (other, one)
            if key not in self._compared and key[0] in self._memes and key[1] in self._memes:
                self._compared.add(key)
                fresh.append(key)
        for (one, other), result in map_in_threads(self._compare, fresh, threads=self._workspace.settings.threads):
            if isinstance(result, UnreadableFile):
                # Search both again when the file can be read.
                self._search_again |= {one, other}
            else:
                yield result

    def _compare(self, key: tuple[str, str]) -> Pair:
        one, other = key
        frames, others = self._ready(one), self._ready(other)
        evidence = compare_frames(frames, others, text_a=self._texts.get(one), text_b=self._texts.get(other))
        if not evidence.is_duplicate and is_cut_short(self._workspace.settings, self._memes[one], self._memes[other]):
            # What is missing looks like another picture.
            return Pair(one, other, replace(evidence, tier=Tier.EDITED, edits=(Edit.CUT,)))
        if evidence.is_duplicate and len(frames) == len(others) == 1:
            prepared = frames[0], others[0]
            evidence = with_traces(evidence, self._original(one), self._original(other), prepared=prepared)
        if evidence.is_duplicate and min(len(frames), len(others)) > 1:
            evidence = with_animation_traces(evidence, self._moving(one), self._moving(other))
        return Pair(one, other, evidence)


def _batches(
    likely: Callable[[int], list[int]], places: Sequence[int], *, threads: int
) -> Iterator[list[tuple[int, Sequence[int]]]]:
    """Yield the places with their candidates in batches."""
    batch: list[tuple[int, Sequence[int]]] = []
    for place, others in map_in_threads(likely, places, threads=threads):
        assert not isinstance(others, UnreadableFile)  # no file is read here
        batch.append((place, others))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
