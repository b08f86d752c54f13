"""From retrievers' scores to a page of hits, each with its explanation."""
