"""Queries: parsed, filtered, spelling corrected."""
