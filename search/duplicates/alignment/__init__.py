"""Align two pictures: an affine transform from keypoints, refined by pixels, and what is left of difference."""
