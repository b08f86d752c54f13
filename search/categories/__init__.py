"""Which category a new meme belongs in, how sure that is, and which memes and categories look wrong."""
