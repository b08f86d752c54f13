"""An index on a Qdrant server, behind the contract of `search.index.contract`."""
