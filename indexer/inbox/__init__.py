"""Uploads: received, examined, accepted into the library."""
