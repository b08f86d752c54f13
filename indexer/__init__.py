"""Makes memes findable: reads the library, decodes, reads text, embeds and builds. Imports search, never web."""
