"""`memetica export-site`: the site, or its search, as plain files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from web.cli.command import Command, Session
from web.cli.terminal import ProgressBars
from web.formatting import format_count, format_size
from web.static_site.export import SiteExport
from web.static_site.export import export_site as write_site
from web.static_site.options import AUTO, COPY, OFF, SiteOptions

_SHOWN = 3  # paths that a message names


@click.command(
    cls=Command,
    examples=(
        "memetica export-site public --base-url https://memes.example",
        "memetica export-site public --media https://cdn.example/memes",
        "memetica export-site public --only-search",
    ),
)
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--media",
    default=COPY,
    show_default=True,
    metavar="HOW",
    help="The memes' files: `copy`, `link` (hard links), or the address of a folder that has them.",
)
@click.option(
    "--base-url",
    default="",
    metavar="URL",
    help="Where the site will be published: for feeds, the sitemap and previews in chats.",
)
@click.option(
    "--meaning",
    type=click.Choice([AUTO, OFF]),
    default=AUTO,
    show_default=True,
    help="Search by meaning in the browser, where the text encoder can run there.",
)
@click.option("--only-search", is_flag=True, help="Only the search page, for a site that another program makes.")
@click.option("--exact-names", is_flag=True, help="Keep names of files that not every host can hold, as `what?.png`.")
def export_site(
    session: Session, out: Path, media: str, base_url: str, meaning: str, only_search: bool, exact_names: bool
) -> int:
    """Write the site into the folder OUT: pages, thumbnails and a search that runs in the browser.

    Any server of files can serve it, at any path. A second run writes only what changed and removes what is gone. Until
    all is written the site in OUT stays as it was, and files that Memetica did not write are never touched.

    `--only-search` writes a folder `memetica` to put beside the pages of another generator, which link to the memes by
    the library's paths, and in it `snippet.html`, a search box to paste into its template.
    """
    terminal = session.terminal
    options = SiteOptions(media, base_url, only_search, exact_names, meaning)
    bars = ProgressBars(terminal)
    try:
        with session.workspace() as workspace:
            start = partial(bars.begin, "Site", unit="steps")
            done = write_site(workspace, out, options, on_start=start, on_step=bars.advance)
    finally:
        bars.end()
    _tell(session, out, options, done)
    return 1 if done.missing or done.report.kept else 0


def _tell(session: Session, out: Path, options: SiteOptions, done: SiteExport) -> None:
    terminal, report = session.terminal, done.report
    if terminal.as_json:
        row = {**vars(report), "kept": list(report.kept)}
        row |= {"missing": list(done.missing), "meaning_bytes": done.meaning_bytes}
        terminal.row({"path": str(out), "memes": done.memes, **row})
    if done.missing:
        terminal.say(
            f"{format_count(len(done.missing), 'file')} of memes are missing or changed since they were indexed: "
            f"{', '.join(done.missing[:_SHOWN])}. Run `memetica index`, then export again.",
            style="yellow",
            failed=True,
        )
    if report.kept:
        terminal.say(
            f"{format_count(len(report.kept), 'file')} of the site were changed by somebody else and left as they are: "
            f"{', '.join(report.kept[:_SHOWN])}. Remove them to have them written again.",
            style="yellow",
            failed=True,
        )
    if done.copied:
        terminal.say(f"{format_count(done.copied, 'file')} could not be linked to, so they were copied.")
    if done.without_meaning:
        terminal.say(f"Memes are searched by words alone: {done.without_meaning}")
    elif done.meaning_bytes:
        terminal.say(f"To search by meaning, a browser fetches {format_size(done.meaning_bytes)} once.")
    if not options.base_url and not options.only_search:
        terminal.say("Without --base-url there are no feeds, no sitemap and no previews in chats.")
    terminal.say(
        f"{out}: {format_count(done.memes, 'meme')}; {format_count(report.written, 'file')} written, "
        f"{report.unchanged:,} unchanged, {report.removed:,} removed; {format_size(report.bytes)} in all."
    )
