"""Odd files drawn by a seed: rare forms of each format, cut short, with wrong bits or broken structure."""
