"""Embeddings and fingerprints: dense and binary search, codes, whitening, and which meme owns a row."""
