"""Says what a meme is and finds it: nouns, catalogue, encoders, indexes, ranking. Imports nothing from above."""
