"""Words: the analyzer, BM25 by tantivy, term vectors, the vocabulary, and names of files."""
