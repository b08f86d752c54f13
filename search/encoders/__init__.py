"""Text and image encoders: what they promise, which there are, and the runtimes that run them."""
