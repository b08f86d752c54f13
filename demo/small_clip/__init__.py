"""A small CLIP for drawn scenes, trained on scenes that the demo's generator draws and captions."""
