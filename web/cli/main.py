"""The `memetica` command: the table of its commands, in sections by purpose.

stdout is for results, stderr for messages and progress. Exit codes: 0 done, 1 something failed, 2 wrong use, 130
interrupted. Each command's module imports what it needs at its top, and is imported when the command is run: a search
does not wait for the indexer or the server.
"""

from __future__ import annotations

import click

from web.cli.lazy_group import Entry, LazyGroup

SECTIONS = {
    "Find": {
        "search": Entry("web.cli.find:search", "Find memes by what they show, say or mean."),
        "similar": Entry("web.cli.find:similar", "Find memes that are like a meme."),
        "show": Entry("web.cli.find:show", "Show everything known about a meme."),
        "mcp": Entry("web.cli.mcp:mcp", "Serve an AI assistant, by the Model Context Protocol."),
        "serve": Entry("web.cli.serve:serve", "Serve the site and the API."),
    },
    "Index": {
        "index": Entry("web.cli.index:index", "Bring the index up to date with a folder of memes."),
        "gather": Entry("web.cli.gather:gather", "Add what other machines have indexed."),
        "describe": Entry("web.cli.describe:describe", "Let vision models describe memes."),
        "models": Entry("web.cli.models:models", "Show the models, or choose an encoder."),
        "import": Entry("web.cli.import_memes:import_memes", "Bring memes from Hydrus, Immich and others."),
        "demo": Entry("web.cli.demo:demo", "Draw a demo library, index it and serve it."),
    },
    "Curate": {
        "upload": Entry("web.cli.inbox:upload", "Put pictures into the inbox and examine them."),
        "inbox": Entry("web.cli.inbox:inbox", "Decide on uploads: list, accept, discard, restore."),
        "suggest": Entry("web.cli.suggest:suggest", "Suggest categories for pictures without storing them."),
        "duplicates": Entry("web.cli.duplicates:duplicates", "Find duplicates and decide on them."),
        "categories": Entry("web.cli.categories:categories", "Find and correct misfiled memes."),
        "contradictions": Entry("web.cli.contradictions:contradictions", "List memes whose texts disagree."),
        "tag": Entry("web.cli.tags:tag", "Give memes tags; list, export and import them."),
        "verdict": Entry("web.cli.verdicts:verdict", "Record verdicts; list, export and import them."),
        "undo": Entry("web.cli.verdicts:undo", "Undo a merge, a move, an accepted upload or a verdict."),
    },
    "Upkeep": {
        "status": Entry("web.cli.status:status", "Show the progress of each stage, and failures."),
        "retry": Entry("web.cli.index:retry", "Retry failed work."),
        "check": Entry("web.cli.upkeep:check_data", "Check that everything stored is there and undamaged."),
        "backup": Entry("web.cli.upkeep:backup", "Write what cannot be computed again into one file."),
        "restore": Entry("web.cli.upkeep:restore_data", "Restore a backup, or an automatic copy."),
        "export": Entry("web.cli.export:export", "Write tables and vectors for other programs."),
        "export-site": Entry("web.cli.export_site:export_site", "Write the site as files for a host without a server."),
        "evaluate": Entry("web.cli.evaluate:evaluate", "Measure the ranking and tune its weights."),
        "completion": Entry("web.cli.completion:completion", "Let a shell complete commands and categories."),
        "keys": Entry("web.cli.keys:keys", "Make and revoke API keys of programs."),
        "password": Entry("web.cli.password:password", "Set the curator's password."),
    },
}


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    examples=("memetica demo", "memetica index path/to/memes", 'memetica search "a dog in a burning room"'),
)
@click.version_option(package_name="memetica", prog_name="memetica")
def main() -> None:
    """Find memes by what they show, what they say and what they mean.

    `memetica COMMAND --help` describes a command.
    """


if __name__ == "__main__":
    main()
