"""A site's marks: where one lies over a meme, whether it is writing, and what it says."""
