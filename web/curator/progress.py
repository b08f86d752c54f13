"""The progress of background work, as a page."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template

from web.background import progress as background
from web.background.progress import background_work
from web.context import site
from web.curator.auth import curator_only
from web.curator.batches import sentence_of
from web.curator.home import Card
from web.formatting import format_duration, format_rate

blueprint = Blueprint("progress", __name__, url_prefix="/curator/progress")
RECENT = 8  # batches shown


def register(app: Flask) -> None:
    """Add the page, and its card to the curator's home."""
    background.register(app)
    app.extensions["curator_cards"].append(card)
    app.jinja_env.filters["duration"] = format_duration
    app.jinja_env.filters["rate"] = format_rate
    app.register_blueprint(blueprint)


def card() -> Card:
    """Return the card of background work."""
    return Card("Progress", "/curator/progress", None, "What Memetica is doing now, and how long it will take.")


@blueprint.get("")
@curator_only
def index() -> str:
    """Show what is done and missing of each kind of work, with its rate and the time that is left."""
    work = background_work()
    return render_template(
        "progress.html",
        work=work,
        running=any(one.running for one in work),
        batches=[(one, sentence_of(one)) for one in site().catalogue.batches.recent(RECENT)],
    )
