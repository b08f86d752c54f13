"""`memetica describe`: vision models describe memes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from indexer.describe.options import Assignment, DescribeOptions
from indexer.describe.run import describe_memes
from search.errors import WrongUse
from search.meme import TextKind
from web.cli.command import Command, Session
from web.cli.options import setting_help
from web.cli.output import DescribeProgress, tally_row, tally_sentence
from web.cli.terminal import ProgressBars


@click.command(
    cls=Command,
    examples=(
        "memetica describe --model gemma3",
        "memetica describe --model gemma3 --kind detailed-analysis --limit 100",
        "memetica describe --model gemma3 --model gemma3@http://other:8000/v1",
    ),
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME[@URL]",
    help="A vision model, at each endpoint or at URL. Repeatable. Without it, the setting `describe_model`.",
)
@click.option(
    "--kind",
    type=click.Choice(["simple-description", "detailed-analysis"]),
    default="simple-description",
    show_default=True,
    help="A few sentences, or an essay with headings.",
)
@click.option("--endpoint", "endpoints", multiple=True, metavar="URL", help=setting_help("endpoint"))
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Simultaneous calls to each endpoint.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Describe at most the newest N memes.")
@click.option("--only-undescribed", is_flag=True, help="Skip memes that another model has described.")
@click.option(
    "--with-category",
    is_flag=True,
    help="Tell the model the category. The description may then reveal it to category suggestions.",
)
@click.option(
    "--write-sidecars", is_flag=True, help="Also write texts to files next to the memes; no file is overwritten."
)
@click.option(
    "--structured",
    is_flag=True,
    help="Hold the model to an answer in JSON, where the endpoint can: for models that add introductions.",
)
@click.option("--prompts", type=click.Path(path_type=Path), metavar="FILE", help="Use the prompts of this file.")
@click.option("--seconds", default=300.0, show_default=True, help="Time limit of one call.")
@click.option("--price-in", type=click.FloatRange(0), metavar="X", help="Price of a million input tokens.")
@click.option("--price-out", type=click.FloatRange(0), metavar="X", help="Price of a million output tokens.")
def describe(session: Session, models: tuple[str, ...], kind: str, endpoints: tuple[str, ...], **options: Any) -> int:
    """Let vision models describe memes, at an OpenAI-compatible or Ollama endpoint.

    Each model describes the memes that it has not described yet, the newest first. You can
    interrupt it at any time; the next run continues. Several runs share the work. Failed descriptions are tried again
    after `memetica retry describe`.
    """
    terminal = session.terminal
    with session.workspace() as workspace:
        models = models or tuple(filter(None, [workspace.settings.describe_model.strip()]))
        if not models:
            raise WrongUse("No vision model is named.", hint="Name one with `--model`, or set `describe_model`.")
        assignments = assignments_of(models, TextKind(kind), endpoints=endpoints or (workspace.settings.endpoint,))
        tally = describe_memes(
            workspace,
            assignments=assignments,
            progress=ProgressBars(terminal),
            options=DescribeOptions(**options),
            on_progress=DescribeProgress(terminal, endpoints=len({one.endpoint for one in assignments})),
        )
    went_wrong = bool(tally.failed or tally.unwritten or tally.stopped)
    terminal.say(tally_sentence(tally), failed=went_wrong)
    if tally.done:
        terminal.say("`memetica index` makes the new descriptions searchable.", style="dim")
    if terminal.as_json:
        terminal.row(tally_row(tally))
    return int(went_wrong)


def assignments_of(models: Sequence[str], kind: TextKind, *, endpoints: Sequence[str]) -> list[Assignment]:
    """Return an assignment for each model and endpoint: `NAME@URL` at its own, `NAME` at each of `endpoints`."""
    found = []
    for model in models:
        name, sign, address = model.partition("@http")
        found += [Assignment(name, kind, url) for url in ([f"http{address}"] if sign else endpoints)]
    return found
