"""Qdrant's own core in this process, asked and answered in the JSON of its REST interface.

`qdrant-edge-py` is the engine of a server without its network: segments, indexes of payloads, filters, several rows a
point, sparse vectors. What only a server has is here in few lines: names of collections, and aliases. A key of a
request that is not known here is an error, so that nothing which Memetica asks for is passed over in silence.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import UUID

import qdrant_edge as edge

Json = Mapping[str, Any]
DISTANCES = {"Dot": edge.Distance.Dot, "Cosine": edge.Distance.Cosine, "Manhattan": edge.Distance.Manhattan}
TYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
}
SCHEMAS = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
}
TOKENIZERS = {"whitespace": edge.TokenizerType.Whitespace, "word": edge.TokenizerType.Word}


class Refused(Exception):
    """A request that a server would refuse, with the status of its answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class QdrantCore:
    """Collections in a folder, and the aliases of them; one request at a time."""

    folder: Path
    collections: dict[str, edge.EdgeShard] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    def answer(self, method: str, path: Sequence[str], body: Json) -> Any:
        """Return the result of a request, whose path is given in its parts; raise Refused."""
        with self.lock:
            match [method, *path]:
                case ["GET", "collections"]:
                    return {"collections": [{"name": name} for name in self.collections]}
                case ["GET", "aliases"]:
                    return {
                        "aliases": [
                            {"alias_name": alias, "collection_name": name} for alias, name in self.aliases.items()
                        ]
                    }
                case ["POST", "collections", "aliases"]:
                    return self._change_aliases(only(body, "actions")["actions"])
                case ["GET", "collections", name, "exists"]:
                    return {"exists": name in self.collections or name in self.aliases}
                case ["PUT", "collections", name]:
                    return self._create(name, body)
                case ["DELETE", "collections", name]:
                    return self._delete(name)
                case [_, "collections", name, *rest]:
                    shard = self._shard(name)
                    found = ANSWERS.get((method, "/".join(rest)))
                    if found is not None:
                        try:
                            return found(shard, body)
                        except Refused:
                            raise
                        except Exception as error:  # edge raises this class itself
                            raise Refused(400, str(error)) from error
            raise Refused(404, f"no {method} of {'/'.join(path)}")

    def close(self) -> None:
        """Close all collections."""
        for shard in self.collections.values():
            shard.close()
        self.collections.clear()

    def _shard(self, name: str) -> edge.EdgeShard:
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return found

    def _create(self, name: str, body: Json) -> bool:
        if name in self.collections:
            raise Refused(409, f"Collection `{name}` already exists!")
        only(body, "vectors", "sparse_vectors", "shard_number", "replication_factor", "on_disk_payload")
        config = edge.EdgeConfig(
            vectors={key: dense_parameters(one) for key, one in body["vectors"].items()},
            sparse_vectors={
                key: edge.EdgeSparseVectorParams() for key, one in body["sparse_vectors"].items() if not only(one)
            },
            on_disk_payload=body.get("on_disk_payload"),
            wal_enabled=False,  # a test's folder need not outlive it
        )
        folder = self.folder / name
        folder.mkdir(parents=True)
        self.collections[name] = edge.EdgeShard.create(str(folder), config)
        return True

    def _delete(self, name: str) -> bool:
        shard = self.collections.pop(name, None)
        if shard is None:
            return False
        shard.close()
        shutil.rmtree(self.folder / name)
        self.aliases = {alias: of for alias, of in self.aliases.items() if of != name}
        return True

    def _change_aliases(self, actions: Sequence[Json]) -> bool:
        """Change all of them or none, as a server does."""
        changed = dict(self.aliases)
        for action in actions:
            match action:
                case {"create_alias": {"collection_name": name, "alias_name": alias}}:
                    self._shard(name)
                    changed[alias] = name
                case {"delete_alias": {"alias_name": alias}}:
                    changed.pop(alias, None)
                case _:
                    raise Refused(400, f"unknown action {action}")
        self.aliases = changed
        return True


def dense_parameters(one: Json) -> edge.EdgeVectorParams:
    only(one, "size", "distance", "datatype", "on_disk", "multivector_config")
    several = one.get("multivector_config")
    if several is not None and several != {"comparator": "max_sim"}:
        raise Refused(400, f"unknown comparator {several}")
    return edge.EdgeVectorParams(
        one["size"],
        DISTANCES[one["distance"]],
        on_disk=one.get("on_disk"),
        datatype=TYPES[one.get("datatype", "float32")],
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if several else None,
    )


def create_index(shard: edge.EdgeShard, body: Json) -> Json:
    schema = only(body, "field_name", "field_schema")["field_schema"]
    if isinstance(schema, str):
        of_field: Any = SCHEMAS[schema]
    else:
        only(schema, "type", "tokenizer", "lowercase", "phrase_matching", "min_token_len", "max_token_len")
        assert schema["type"] == "text"
        more = {key: value for key, value in schema.items() if key not in ("type", "tokenizer")}
        of_field = edge.TextIndexParams(tokenizer=TOKENIZERS[schema["tokenizer"]], **more)
    shard.update(edge.UpdateOperation.create_field_index(body["field_name"], of_field))
    return done()


def upsert(shard: edge.EdgeShard, body: Json) -> Json:
    points = only(body, "points")["points"]
    for one in points:
        only(one, "id", "vector", "payload")
    shard.update(
        edge.UpdateOperation.upsert_points(
            [
                edge.Point(
                    one["id"], {key: vector(own) for key, own in one["vector"].items()}, dict(one.get("payload") or {})
                )
                for one in points
            ]
        )
    )
    return done()


def delete_points(shard: edge.EdgeShard, body: Json) -> Json:
    shard.update(edge.UpdateOperation.delete_points(list(only(body, "points")["points"])))
    return done()


def retrieve(shard: edge.EdgeShard, body: Json) -> list[Json]:
    only(body, "ids", "with_payload", "with_vector")
    found = shard.retrieve(list(body["ids"]), body.get("with_payload", True), body.get("with_vector", False))
    return [record(one) for one in found]


def scroll(shard: edge.EdgeShard, body: Json) -> Json:
    only(body, "filter", "limit", "offset", "with_payload", "with_vector")
    points, offset = shard.scroll(
        edge.ScrollRequest(
            offset=body.get("offset"),
            limit=body["limit"],
            filter=filter_of(body.get("filter")),
            with_payload=body.get("with_payload", True),
            with_vector=body.get("with_vector", False),
        )
    )
    return {"points": [record(one) for one in points], "next_page_offset": plain_id(offset)}


def count(shard: edge.EdgeShard, body: Json) -> Json:
    only(body, "exact", "filter")
    return {"count": shard.count(edge.CountRequest(exact=body["exact"], filter=filter_of(body.get("filter"))))}


def query_batch(shard: edge.EdgeShard, body: Json) -> list[Json]:
    wanted = [query(one) for one in only(body, "searches")["searches"]]
    return [
        {"points": [{**record(one), "version": 0, "score": one.score} for one in points]}
        for points in shard.query_batch(edge.QueryBatchRequest(wanted))
    ]


def query(one: Json) -> edge.QueryRequest:
    only(one, "query", "using", "filter", "limit", "params", "with_payload", "with_vector")
    return edge.QueryRequest(
        limit=one["limit"],
        query=edge.Query.Nearest(vector(only(one["query"], "nearest")["nearest"]), one["using"]),
        filter=filter_of(one.get("filter")),
        params=edge.SearchParams(**only(one["params"], "hnsw_ef", "exact", "indexed_only"))
        if one.get("params")
        else None,
        with_payload=one.get("with_payload", False),
    )


def vector(own: Any) -> Any:
    return edge.SparseVector(own["indices"], own["values"]) if isinstance(own, Mapping) else own


def filter_of(one: Json | None) -> edge.Filter | None:
    if one is None:
        return None
    only(one, "must", "should", "must_not")
    parts = {key: one[key] if isinstance(one[key], list) else [one[key]] for key in one if one[key] is not None}
    conditions: dict[str, Any] = {key: [condition(own) for own in parts[key]] for key in parts}
    return edge.Filter(**conditions)


def condition(one: Json) -> Any:
    match one:
        case {"has_id": ids}:
            return edge.HasIdCondition(set(ids))
        case {"key": key, "match": {"value": value}}:
            return edge.FieldCondition(key, match=edge.MatchValue(value))
        case {"key": key, "match": {"any": values}}:
            return edge.FieldCondition(key, match=edge.MatchAny(values))
        case {"key": key, "match": {"phrase": phrase}}:
            return edge.FieldCondition(key, match=edge.MatchPhrase(phrase))
        case {"key": key, "range": limits}:
            return edge.FieldCondition(key, range=edge.RangeFloat(**limits))
    return filter_of(one)


def record(one: Any) -> Json:
    found: dict[str, Any] = {"id": plain_id(one.id), "payload": one.payload}
    if one.vector is not None:
        found["vector"] = one.vector
    return found


def plain_id(id: Any) -> Any:
    return str(id) if isinstance(id, UUID) else id


def done() -> Json:
    return {"operation_id": 0, "status": "completed"}


def only(body: Json, *known: str) -> Json:
    """Return a part of a request; raise Refused when it has a key that is not known here, and a value."""
    unknown = sorted(key for key, value in body.items() if key not in known and value is not None)
    if unknown:
        raise Refused(400, f"not known here: {', '.join(unknown)}")
    return {key: value for key, value in body.items() if value is not None}


ANSWERS: Mapping[tuple[str, str], Callable[[edge.EdgeShard, Json], Any]] = {
    ("PUT", "index"): create_index,
    ("PUT", "points"): upsert,
    ("POST", "points"): retrieve,
    ("POST", "points/delete"): delete_points,
    ("POST", "points/scroll"): scroll,
    ("POST", "points/count"): count,
    ("POST", "points/query/batch"): query_batch,
}
