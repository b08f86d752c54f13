"""CLIP: pictures and texts as vectors of one space, by any open_clip model, run without torch."""
