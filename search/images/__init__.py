"""Fingerprints and descriptors of pictures."""
