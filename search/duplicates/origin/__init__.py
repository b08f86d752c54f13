"""Which of two duplicates was made from the other, told by the traces that the work left."""
