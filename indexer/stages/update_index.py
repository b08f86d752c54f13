"""Update the index for a few memes without rebuilding it.

The new generation shares unchanged files with the live one by hard links, and replaces the rows of these memes. The
whitening of text embeddings and the variants among unchanged memes stay as in the last build, because they are fitted
to the whole library. The manifest counts the changed memes, so that the next `memetica index` builds the whole index.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from indexer.stages.build_index import WAIT_SECONDS, build_index
from indexer.stages.embed_images import embed_images_of
from indexer.stages.embed_texts import put_readable
from indexer.stages.weigh_texts import weigh_meme
from indexer.stages.write_engine import update_engine, write_engine
from indexer.work.locks import lock
from search.catalogue import Catalogue
from search.encoders.base import TextEncoder
from search.encoders.coverage import readable_rows
from search.encoders.registry import load_image_encoder
from search.errors import IndexUnusable, MemeticaError
from search.index.generations import FORMAT, Manifest, live_image_encoder, live_manifest
from search.index.writer import extend_generation
from search.meme import Meme
from search.texts.agreement import LEAST_WEIGHT
from search.texts.chunking import SPLITTER, split_passages
from search.workspace import Workspace

logger = logging.getLogger(__name__)


def update_index(workspace: Workspace, ids: Collection[int], *, encoder: TextEncoder) -> Manifest:
    """Update the index for these memes, remove the vanished ones among them, and return the new manifest.

    Splits, embeds and weighs their texts first, and embeds their pictures with the image encoder that the index was
    made with. Builds a whole generation if the live one is missing, damaged or made with another text encoder.
    Raises DataFolderError as `build_index` does. An engine that does not answer is left as it was, with a warning.

    >>> from indexer.stages.update_index import update_index
    >>> meme = workspace.catalogue.memes.at("Dogs/fine.png")
    >>> update_index(workspace, [meme.id], encoder=encoder).changed
    1
    """
    memes = workspace.catalogue.memes.many(sorted(ids))
    with workspace.catalogue.separately_indexed():
        image_encoder = _embed(workspace, memes, encoder=encoder)
    index = workspace.index
    with lock(workspace.data, "building", seconds=WAIT_SECONDS):
        live = live_manifest(index)
        wanted = (encoder.name, SPLITTER, encoder.dimensions)
        if (
            live is not None
            and live.format == FORMAT
            and (live.text_encoder, live.splitter, live.encoders.get(encoder.name)) == wanted
        ):
            with suppress(IndexUnusable):  # a damaged file: the index is built as a whole
                extended = extend_generation(index, workspace.catalogue, ids, least_weight=LEAST_WEIGHT)
                _on_engine(lambda: update_engine(workspace, ids))
                return extended
    built = build_index(workspace, text_encoder=encoder.name, image_encoder=image_encoder)
    _on_engine(lambda: write_engine(workspace))
    return built


def _on_engine(write: Callable[[], object]) -> None:
    """Write to the engine; where it does not answer, the next `memetica index` writes what is missing there."""
    try:
        write()
    except MemeticaError as error:
        logger.warning("The index of the engine is as it was until the next `memetica index`: %s", error.message)


def _embed(workspace: Workspace, memes: Sequence[Meme], *, encoder: TextEncoder) -> str:
    """Embed the texts and pictures of a few memes; return the name of the index's image encoder, empty without one."""
    _embed_texts(workspace.catalogue, memes, encoder=encoder)
    image_encoder = live_image_encoder(workspace.index)
    if image_encoder:
        # Pictures that cannot be embedded now are embedded by the next `memetica index`.
        with suppress(MemeticaError):
            images = load_image_encoder(workspace.settings, image_encoder, long_running=True)
            workspace.catalogue.embeddings.register(image_encoder, dimensions=images.dimensions)
            embed_images_of(workspace, memes, encoder=images)
    return image_encoder


def _embed_texts(catalogue: Catalogue, memes: Sequence[Meme], *, encoder: TextEncoder) -> None:
    """Split, embed and weigh the current texts of a few memes."""
    catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    with catalogue.transaction():
        for meme in memes:
            passages = split_passages(meme.path, category=meme.category, texts=catalogue.texts.of(meme))
            catalogue.texts.put_passages(meme.id, passages, splitter=SPLITTER)
    bodies = {row.input_hash: row.passage.body for row in catalogue.texts.passages_of([meme.id for meme in memes])}
    known = catalogue.embeddings.get(encoder.name, list(bodies))
    missing = [input for input in bodies if input not in known]
    places, vectors = readable_rows(encoder, [bodies[input] for input in missing])
    with catalogue.transaction():
        if missing:
            put_readable(catalogue, encoder.name, missing, places, vectors)
        for meme in memes:
            weigh_meme(catalogue, meme, encoder=encoder.name)
