"""A small CLIP of our own: for drawn scenes, learnt from the scenes that the demo's generator draws and captions."""
