"""Damaged pictures: their bytes made decodable, and the pixels that are missing found."""
