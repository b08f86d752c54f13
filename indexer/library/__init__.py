"""The library's folder: its format, its files, the texts beside them."""
