"""The process in which `indexer.media.decode` decodes files; `serve_tasks` says how the two talk."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from indexer.media.decode_file import decode_file
from indexer.media.decoded import FACTS, DecodedMedia
from indexer.media.decoder_errors import MEMORY_HINT, MEMORY_MESSAGE
from indexer.media.svg import sanitize_svg
from indexer.work.process_pool import serve_tasks
from search.errors import UnreadableFile


def work(task: dict[str, Any]) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Return the reply to a task: the facts as JSON, and the bytes of each picture or of the SVG.

    A picture has three bytes a pixel (RGB); the alpha plane of a still with transparent areas comes last, with one.
    """
    file = Path(os.fsdecode(bytes.fromhex(task["file"])))
    try:
        if task["work"] == "sanitize":
            return {}, [sanitize_svg(file.read_bytes())]
        return _decoded(file, task)
    except UnreadableFile as error:
        return {"message": error.message, "hint": error.hint}, ()
    except MemoryError:  # also of what is done with a picture after it was decoded
        return {"message": MEMORY_MESSAGE, "hint": MEMORY_HINT}, ()
    except OSError as error:
        return {"message": f"It cannot be read: {error.strerror or error}.", "hint": "Check its permissions."}, ()
    except Exception as error:  # what is about the file has a sentence already: this is a mistake of our own code
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}".strip(": .")
        return {"mistake": f"{said[:300]} ({Path(last.filename).name}, line {last.lineno})"}, ()


def _decoded(file: Path, task: dict[str, Any]) -> tuple[dict[str, Any], Sequence[bytes]]:
    decoded = decode_file(
        file,
        max_pixels=task["max_pixels"],
        max_bytes=task["max_bytes"],
        effort=task["effort"],
        least_side=task["least_side"],
    )
    if task["side"]:
        for picture in (*decoded.pictures, *_alpha(decoded)):
            picture.thumbnail((task["side"], task["side"]))
    facts = {
        "type": decoded.type.value,
        **{name: getattr(decoded, name) for name in FACTS},
        "sizes": [picture.size for picture in decoded.pictures],
    }
    return facts, [picture.tobytes() for picture in (*decoded.pictures, *_alpha(decoded))]


def _alpha(decoded: DecodedMedia) -> Sequence[Image.Image]:
    return () if decoded.alpha is None else (decoded.alpha,)


if __name__ == "__main__":
    serve_tasks(work)
