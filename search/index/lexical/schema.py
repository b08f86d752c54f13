"""The fields of the lexical index, its tokenizers, and tantivy's errors in ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import tantivy

from search.errors import IndexUnusable
from search.index.lexical.analyzer import ANALYZER, READABLE_ANALYZERS, analyzer, spelling_analyzer
from search.meme import Field

ALL_TEXT = "everything"  # the field with the text of all others
FIELDS = (Field.NAME, Field.OCR, Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
SPELLING_FIELD = "spelling"  # the words as written, for the vocabulary: they do not count in scores
# The words as written, in a row: of each text, and of the category, marked, with those of the file's name behind it.
WRITTEN_FIELD = "written"
WORD_START = "^"  # before a whole Korean word in that field: elsewhere each of its syllables is a word
FILE_FIELD = "file"  # the keys of the file's name, whole
FILE_PARTS_FIELD = "file_parts"
# In an index of an earlier format, in which the words as written have no places: of the category, marked, and the name.
FILE_WORDS_FIELD = "file_words"
OF_CATEGORY = "/"  # before a word of the category: a quote may begin there, but says more
TOO_LONG = "\u2026"  # stands for a word that is too long to be indexed, so that the others keep their places
VECTORS = "vectors"  # the folder of the term vectors, beside tantivy's files; none in an index of an earlier format
_RAW = "raw"  # tantivy's own tokenizer: a text is one term
HINT = "Run `memetica index`."
LOCKS = ".tantivy-*.lock"
_OS_ERROR = re.compile(r"\(os error (\d+)\)|Os \{ code: (\d+)")


@lru_cache(maxsize=1)
def lexical_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", stored=False, indexed=True, fast=True)
    for name in (*FIELDS, ALL_TEXT):
        builder.add_text_field(str(name), stored=False, tokenizer_name=ANALYZER, index_option="position")
    builder.add_text_field(SPELLING_FIELD, stored=False, tokenizer_name=SPELLING_FIELD, index_option="basic")
    builder.add_text_field(WRITTEN_FIELD, stored=False, tokenizer_name=SPELLING_FIELD, index_option="position")
    builder.add_text_field(FILE_FIELD, stored=False, tokenizer_name=_RAW, index_option="basic")
    builder.add_text_field(FILE_PARTS_FIELD, stored=False, tokenizer_name=_RAW, index_option="basic")
    return builder.build()


def register_tokenizers(index: tantivy.Index) -> None:
    for name in READABLE_ANALYZERS:
        index.register_tokenizer(name, analyzer())
    index.register_tokenizer(SPELLING_FIELD, spelling_analyzer())


def read_words(searcher: tantivy.Searcher) -> dict[str, int]:
    """Return the words of all texts as written, sorted, each with the number of memes that have it."""
    return dict(sorted(searcher.terms_with_prefix(SPELLING_FIELD, "", None, None)))


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn tantivy's errors about the disk into OSError; others are raised as they are."""
    try:
        yield
    except BaseException as error:
        found = _OS_ERROR.search(str(error)) if isinstance(error, ValueError) or _is_panic(error) else None
        if found is None:
            raise
        code = int(found[1] or found[2])
        raise OSError(code, os.strerror(code)) from error


@contextmanager
def index_errors(folder: Path) -> Iterator[None]:
    """Turn what tantivy raises about damaged files into IndexUnusable."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, ValueError) or _is_panic(error):
            raise IndexUnusable(f"The word index in {folder} is missing or damaged: {error}.", hint=HINT) from error
        raise


def _is_panic(error: BaseException) -> bool:
    # A panic of Rust code; the class is no Exception and cannot be imported.
    return type(error).__name__ == "PanicException"
