"""The settings of a collection: named vectors, several rows a meme, sparse vectors, and what filters are indexed by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qdrant_client import models

from search.index.qdrant.points import FINGERPRINT, TERM_FIELDS, WRITTEN, row_key, sparse_name
from search.meme import Field

KEYWORDS = dict.fromkeys(
    ("category", "branches", "type", "has", "terms", WRITTEN, "file", "parts", "prefixes", "state"),
    models.PayloadSchemaType.KEYWORD,
)
NUMBERS = dict.fromkeys(("seen", "variant"), models.PayloadSchemaType.INTEGER)
ROWS_INDEXED = (*TERM_FIELDS[1:], WRITTEN)
_ON_DISK = (Field.LOOK.value, FINGERPRINT)  # asked for by pictures alone


def collection_settings(sizes: Mapping[str, int], shards: int, replicas: int) -> dict[str, Any]:
    """Return the arguments of `create_collection`; `sizes` are the vectors' dimensions by their names."""
    return {
        "vectors_config": {
            name: models.VectorParams(
                size=size,
                distance=models.Distance.DOT,  # all rows have length 1
                datatype=models.Datatype.FLOAT16,
                on_disk=name in _ON_DISK,
                multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
            )
            for name, size in sizes.items()
        },
        "sparse_vectors_config": {sparse_name(field): models.SparseVectorParams() for field in TERM_FIELDS},
        "shard_number": shards,
        "replication_factor": replicas,
        "on_disk_payload": True,
    }


def row_index(field: str) -> tuple[str, models.TextIndexParams]:
    """Return the key of a field's terms in a row, and how they are indexed: as they are, for phrases."""
    return row_key(field), models.TextIndexParams(
        type=models.TextIndexType.TEXT,
        tokenizer=models.TokenizerType.WHITESPACE,
        lowercase=False,
        phrase_matching=True,
    )
