"""Texts cut into passages, claims extracted from them, and where the texts of a meme disagree."""
