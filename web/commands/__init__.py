"""Verbs of the command that are more than a few lines: a module each."""
