"""The words in pictures."""
