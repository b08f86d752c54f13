"""`python -m web.cli` is the `memetica` command."""

from web.cli.main import main

main(prog_name="memetica")
