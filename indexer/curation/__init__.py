"""What the curator decides about duplicates and categories, carried out on the library and undone."""
