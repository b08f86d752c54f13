"""The stages of indexing, one module each."""
