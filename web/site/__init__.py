"""The visitors' pages."""
