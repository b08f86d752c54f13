"""The curator's home: what there is to do, a card for each kind of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, current_app, render_template

from web.curator.auth import curator_only

blueprint = Blueprint("curator", __name__)


@dataclass(frozen=True)
class Card:
    """A kind of work: where it is done, how much of it is left, and a sentence on it."""

    title: str
    url: str
    left: int | None  # None where nothing can be counted
    sentence: str


CardMaker = Callable[[], Card]  # called for each view of the page, within the request


@blueprint.get("/curator")
@curator_only
def home() -> str:
    """Show what there is to do."""
    makers: list[CardMaker] = current_app.extensions["curator_cards"]
    return render_template("curator.html", cards=[make() for make in makers])
