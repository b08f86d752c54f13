"""Duplicates among memes: evidence on two, candidates, groups."""
