"""What a serving site does in the background."""
