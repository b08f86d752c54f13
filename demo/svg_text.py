"""Text as shapes, for an SVG that needs no fonts where it is shown."""

from __future__ import annotations

from html import escape

import cv2
import numpy as np

from demo.drawing import Drawing
from demo.lettering import Lettering, masks
from demo.vector import document, path

_FINE = 4  # text is traced this many times larger


def svg_file(drawing: Drawing, *, title: str) -> str:
    """Return a drawing as an SVG file, its text traced as shapes, with a title for screen readers."""
    words = "".join(_traced(one) for one in drawing.words)
    whole = document(drawing.content + words, width=drawing.width, height=drawing.height)
    start = whole.index(">") + 1
    return f"{whole[:start]}<title>{escape(title)}</title>{whole[start:]}\n"


def _traced(lettering: Lettering) -> str:
    drawn, (x, y) = masks(lettering, smooth=_FINE)
    shapes = ""
    for mask, color in drawn:
        contours, _ = cv2.findContours((np.asarray(mask) > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        way = ""
        for contour in contours:
            simpler = cv2.approxPolyDP(contour, 0.9, True)[:, 0, :]
            if len(simpler) >= 3:
                way += (
                    "M" + "L".join(f"{x + (a + 0.5) / _FINE:.2f} {y + (b + 0.5) / _FINE:.2f}" for a, b in simpler) + "Z"
                )
        shapes += path(way, color, 'fill-rule="evenodd"')
    return shapes
