"""`python -m web.cli` is the `memetica` command."""

from web.cli.process import run

run()
