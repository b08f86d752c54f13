"""Shared work: leases, processes, progress."""
