"""The curator's home page: a card for each kind of work, with the number of open items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, current_app, render_template

from web.curator.auth import curator_only

blueprint = Blueprint("home", __name__)


@dataclass(frozen=True)
class Card:
    """A kind of work: its page, the number of open items, and a sentence about it."""

    title: str
    url: str
    left: int | None  # None when it was not counted yet
    sentence: str


MakeCard = Callable[[], Card]  # called within each request of the page


@blueprint.get("/curator")
@curator_only
def home() -> str:
    """Show the cards."""
    cards: list[MakeCard] = current_app.extensions["curator_cards"]
    return render_template("curator.html", cards=[make_card() for make_card in cards])
