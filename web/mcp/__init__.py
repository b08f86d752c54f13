"""A server of the Model Context Protocol: an AI assistant searches the library through it."""
