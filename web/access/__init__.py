"""Who may ask for what: hosts and proxies that are trusted, limits of size and rate."""
