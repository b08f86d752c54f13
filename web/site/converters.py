"""What addresses of the site may contain."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class LibraryPath(BaseConverter):
    """A path in the library. It may contain any character, including line breaks."""

    regex = r"(?s:.+)"
    part_isolating = False
