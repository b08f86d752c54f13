"""Decoding of image and video files, and thumbnails."""
