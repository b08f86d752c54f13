"""The `memetica` command."""
