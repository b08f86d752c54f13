"""Access limits: trusted hosts and proxies, request sizes and rates."""
