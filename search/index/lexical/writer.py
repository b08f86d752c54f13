"""Write the lexical index: a document for each meme, into a new folder or beside those that another index has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy

from search.index.generations import link_folder
from search.index.lexical.analyzer import LONGEST, korean_words, split_words, without_points
from search.index.lexical.file_names import name_keys, name_parts, name_words
from search.index.lexical.schema import (
    ALL_TEXT,
    FILE_FIELD,
    FILE_PARTS_FIELD,
    LOCKS,
    OF_CATEGORY,
    SPELLING_FIELD,
    TOO_LONG,
    VECTORS,
    WORD_START,
    WRITTEN_FIELD,
    disk_errors,
    index_errors,
    lexical_schema,
    read_words,
    register_tokenizers,
)
from search.index.lexical.term_vector_writer import TermVectorWriter, extend_term_vectors
from search.index.lexical.word_table import FILES as VOCABULARY_FILES
from search.index.lexical.word_table import extend_words, write_words
from search.index.vectors.owners import Ids
from search.meme import Field

HEAP_BYTES = 200_000_000  # memory of a build before it writes a segment
SMALL_HEAP_BYTES = 20_000_000  # memory when a few documents are added; tantivy needs at least 15 MB


@dataclass(frozen=True)
class Document:
    """The texts of a meme by field, a line for each passage, and the path of its file."""

    id: int
    texts: Mapping[Field, str]
    path: str = ""


def build_lexical(folder: Path, documents: Iterable[Document], *, heap_bytes: int = HEAP_BYTES) -> int:
    """Write a lexical index of the documents into a new folder; return the number of documents.

    Raises ValueError when two documents have one id.
    """
    folder.mkdir(parents=True)
    with disk_errors():
        # Sorted by id, so that tantivy returns equal scores by id.
        index = tantivy.Index(lexical_schema(), path=str(folder), sort_by_field="id")
    register_tokenizers(index)
    # One thread, so that the same documents give the same segments.
    known: set[int] = set()
    with disk_errors(), TermVectorWriter(folder / VECTORS) as vectors:
        writer = index.writer(heap_bytes, 1)
        for document in documents:
            if document.id in known:
                raise ValueError(f"two documents have the id {document.id}")
            known.add(document.id)
            words = document_words(document)
            vectors.add(document.id, words.passages)
            writer.add_document(_entry(document, words))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        write_words(folder, read_all=lambda: read_words(index.searcher()))
    for lock in folder.glob(LOCKS):
        lock.unlink(missing_ok=True)
    return len(known)


def extend_lexical(
    source: Path, folder: Path, documents: Iterable[Document], *, without: Ids, heap_bytes: int = SMALL_HEAP_BYTES
) -> int:
    """Write a lexical index with the documents of another, except those in `without`, and new ones; return its size.

    Segments are immutable, so both indexes share them by hard links. Until segments are merged, deleted documents still
    count in the document frequencies. The ids of the new documents must be in `without`. Raises IndexUnusable when the
    source is damaged.
    """
    link_folder(source, folder, copied=("meta.json", ".managed.json"), without=VOCABULARY_FILES)
    spelled: set[str] = set()
    with index_errors(source), disk_errors():
        index = tantivy.Index.open(str(folder))
        register_tokenizers(index)
        writer = index.writer(heap_bytes, 1)
        for id in without.tolist():
            writer.delete_documents_by_term("id", id)
        added = {}
        for document in documents:
            words = document_words(document)
            spelled |= words.spelled
            added[document.id] = words.passages
            writer.add_document(_entry(document, words))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        searcher = index.searcher()
        extend_words(
            source,
            folder,
            spelled,
            memes_with=lambda word: searcher.doc_freq(SPELLING_FIELD, word),
            read_all=lambda: read_words(searcher),
        )
        found = int(searcher.num_docs)
    extend_term_vectors(folder / VECTORS, added, without=without)
    for lock in folder.glob(LOCKS):
        lock.unlink(missing_ok=True)
    return found


@dataclass(frozen=True)
class DocumentWords:
    """The words of a document: by field those of each passage, and those as written in lower case.

    `spelled` are all words. `rows` are those that a quoted phrase may have, in a row in each text; the last row has the
    category's, marked with OF_CATEGORY, and the file's name's. `starts` are the Korean words, with WORD_START.
    """

    passages: Mapping[Field, Sequence[Sequence[str]]]
    spelled: frozenset[str]
    rows: Sequence[Sequence[str]]
    starts: frozenset[str]

    @property
    def written(self) -> frozenset[str]:
        """The words that a quoted phrase may have, and the Korean ones with WORD_START."""
        words = {word for row in self.rows for word in row if not word.startswith((OF_CATEGORY, TOO_LONG))}
        return self.starts | words


def document_words(document: Document) -> DocumentWords:
    """Return the words of a document, as every index of words has them.

    >>> from search.index.lexical.writer import Document, document_words
    >>> words = document_words(Document(1, {Field.OCR: "This is fine"}, "Dogs/fine dog.png"))
    >>> words.passages[Field.OCR], words.rows
    ([['This', 'is', 'fine']], [['this', 'is', 'fine'], ['/dogs', 'fine', 'dog']])
    """
    passages: dict[Field, list[list[str]]] = {}
    spelled: set[str] = set()
    rows: list[list[str]] = []
    name = name_words(document.path)
    starts = [WORD_START + word for word in korean_words(name)]
    for field, text in document.texts.items():
        for passage in text.split("\n"):
            words = split_words(passage)
            if words:
                passages.setdefault(field, []).append(words)
                own = _as_written(words)
                spelled.update(own)
                # A quote is not looked for in the category, but a Korean word without quotation marks is.
                starts += [WORD_START + word for word in korean_words(passage)]
                if field is not Field.NAME:
                    rows.append(own)
    category = _as_written(split_words(document.path.rpartition("/")[0]))
    rows.append([*(OF_CATEGORY + word for word in category), *_as_written(split_words(name))])
    return DocumentWords(
        passages,
        frozenset(spelled - {TOO_LONG}),
        rows,
        frozenset(word for word in starts if len(word.encode()) <= LONGEST),
    )


def _as_written(words: Sequence[str]) -> list[str]:
    return [word.lower() if len(word.encode()) <= LONGEST else TOO_LONG for word in words]


def _entry(document: Document, found: DocumentWords) -> tantivy.Document:
    entry = tantivy.Document()
    entry.add_integer("id", document.id)
    for field, passages in found.passages.items():
        # Passages are added one by one: tantivy leaves a gap between them, so that no phrase goes from one to the next.
        for words in passages:
            terms = " ".join(map(without_points, words))
            entry.add_text(str(field), terms)
            entry.add_text(ALL_TEXT, terms)
    entry.add_text(SPELLING_FIELD, " ".join(sorted(found.spelled)))
    for row in found.rows:
        entry.add_text(WRITTEN_FIELD, " ".join(row))
    entry.add_text(WRITTEN_FIELD, " ".join(sorted(found.starts)))
    for key in name_keys(document.path):
        entry.add_text(FILE_FIELD, key)
    for part in name_parts(document.path):
        entry.add_text(FILE_PARTS_FIELD, part)
    return entry


def documents_of(
    rows: Iterable[tuple[int, Field, str]], *, paths: Mapping[int, str] | None = None
) -> Iterator[Document]:
    """Yield a document for each meme from (id, field, text) rows that are ordered by id; `paths` are by id."""
    paths = paths or {}
    current: int | None = None
    gathered: dict[Field, list[str]] = {}
    for id, field, text in rows:
        if id != current:
            if current is not None:
                yield Document(current, _joined(gathered), paths.get(current, ""))
            current, gathered = id, {}
        gathered.setdefault(field, []).append(text)
    if current is not None:
        yield Document(current, _joined(gathered), paths.get(current, ""))


def _joined(gathered: Mapping[Field, list[str]]) -> dict[Field, str]:
    return {name: "\n".join(parts) for name, parts in gathered.items()}
