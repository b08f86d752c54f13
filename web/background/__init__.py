"""Background workers of a site that is being served."""
