"""Half precision and eight bits for the built-in encoders: what they do to the ranking, and to speed and size.

    python -m benchmarks.precision
    python -m benchmarks.precision real_memes
    python -m benchmarks.precision cm50 --queries --without-pictures

`fp16` has weights and sums in half precision; `int8` has weights of eight bits and quantizes activations as they come
(MiniLM), or by scales measured on pictures of the tuned half (the image encoder); `query model` is what MiniLM's
queries are encoded by. All run in ONNX Runtime; the rows of OpenVINO are of the same files, in whatever precision it
takes here. Texts: speed on passages, and on queries one at a time by one thread; all passages are embedded in int8 too,
and the fused ranking is evaluated on the queries of both halves of the library: passages as the library has them with
queries in fp32, by the query model and in int8, and both in int8. Rows of fp16 agree with fp32's to a cosine of 1.000,
and are not ranked. Pictures: of the held-out half, how often the nearest one is of the same template, and stays the one
that fp32 finds. Time is the processor's. Without pictures, nothing is known of them but their texts, so that the text
encoder counts for more than in a library.
"""

from __future__ import annotations

import sqlite3
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from benchmarks.data import Library, add_library, described_templates, library_of
from benchmarks.harness import Benchmark, Half, Report, half_of
from indexer.media.decode_file import decode_file
from indexer.stages.build_index import build_index
from indexer.stages.embed_texts import embed_passages
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.encoders.clip import IMAGE_FILE, Clip, model_folder
from search.encoders.clip_models import BUILT_IN
from search.encoders.minilm import MODEL_FILE, NAME, QUERY_FILE, MiniLM
from search.encoders.registry import export_image_encoder, load_image_encoder
from search.encoders.runtimes import OnnxRuntime, OpenVino, has_openvino
from search.evaluation.metrics import JudgedQuery, evaluate
from search.index.generations import live_image_encoder
from search.searcher import Searcher
from search.workspace import Workspace

FP32, FP16, INT8, QUERY = "fp32", "fp16", "int8", "query model"
QUERIES_INT8, QUERIES_OWN = "fp32, queries int8", "fp32, queries by the query model"
CALIBRATION = 64  # pictures
BENCHMARK = Benchmark(
    __doc__,
    needs="nothing (the drawn demo library), CM50 or real_memes: see python -m benchmarks.data --help",
    takes="3 minutes with demo, 15 with cm50, once it is indexed",
)
add_library(BENCHMARK)
BENCHMARK.option("--texts", 200, small=8, help="passages, and queries, to measure speed on")
BENCHMARK.option("--pictures", 400, small=24, help="pictures to compare")
BENCHMARK.option("--queries", False, action="store_true", help="rank with queries in int8 only: embed no passage")
BENCHMARK.option(
    "--without-pictures", False, action="store_true", help="texts alone, of a library without OCR and image encoder"
)
BENCHMARK.option("--rounds", 3, small=1, help="repetitions of each speed; medians are reported")


def measure(given: Namespace, report: Report) -> None:
    """Print the tables of texts, then those of pictures."""
    library = library_of(given)
    seen = not given.without_pictures
    if not seen:
        library = replace(library, data=library.data.with_name(f"{library.data.name}-without-pictures"), ocr=False)
    with (
        TemporaryDirectory() as folder,
        library.workspace(image_encoder=BUILT_IN if seen else "none") as workspace,
    ):
        texts(given, report, library, workspace, Path(folder))
        if seen:
            pictures(given, report, library, workspace, Path(folder))


def texts(given: Namespace, report: Report, library: Library, workspace: Workspace, folder: Path) -> None:
    """Compare exports of MiniLM."""
    models = workspace.settings.data / "models"
    place = models / NAME
    files = {FP32: place / MODEL_FILE, FP16: folder / "text-fp16.onnx", INT8: folder / "text-int8.onnx"}
    onnx.save(convert_float_to_float16(onnx.load(str(files[FP32])), keep_io_types=True), str(files[FP16]))
    quantize_dynamic(files[FP32], files[INT8], weight_type=QuantType.QInt8, per_channel=True)
    encoders = {name: MiniLM(place, OnnxRuntime.open(file, threads=2)) for name, file in files.items()}
    if has_openvino():
        encoders["OpenVINO, fp32"] = MiniLM(place, OpenVino.open(files[FP32], threads=2))
        encoders["OpenVINO, int8"] = MiniLM(place, OpenVino.open(files[INT8], threads=2))
        files |= {"OpenVINO, fp32": files[FP32], "OpenVINO, int8": files[INT8]}
    passages = [body for _, body in next(iter(workspace.catalogue.embeddings.missing_passages("none")), [])]
    sample = [passages[at] for at in np.random.default_rng(0).permutation(len(passages))[: given.texts]]
    speeds(report, "MiniLM", {name: (one.encode, files[name]) for name, one in encoders.items()}, sample, given.rounds)
    judged = library.judged() or [
        (key, JudgedQuery(query, dict.fromkeys(paths, 1), "describes a template"))
        for key, query, paths in described_templates(library)
    ]
    halves = {half: [query for key, query in judged if half_of(key) is half] for half in (Half.HELD_OUT, Half.TUNED)}
    speed_of_queries(given, report, [query.query for query in halves[Half.HELD_OUT]], place, files[INT8])
    columns = {"texts as": "", "half": "", "queries": "", "nDCG@10": ".4f", "recall@10": ".4f", "of": ",d"}
    table = report.table("fused ranking", columns)
    data = folder / "data"
    data.mkdir()
    with (
        closing(sqlite3.connect(workspace.settings.data / "catalogue.sqlite")) as known,
        closing(sqlite3.connect(data / "catalogue.sqlite")) as copy,
    ):
        known.backup(copy)
    (data / "models").symlink_to(models)
    settings = replace(workspace.settings, data=data)
    encoders[INT8].name = f"{NAME} {INT8}"
    with_query_model = MiniLM(place, encoders[FP32].runtime, query=OnnxRuntime.open(place / QUERY_FILE, threads=1))
    of_rows: dict[str, Any] = {
        FP32: encoders[FP32],
        QUERIES_OWN: with_query_model,
        QUERIES_INT8: OtherQueries(encoders[FP32], encoders[INT8]),
    }
    of_rows |= {} if given.queries else {INT8: encoders[INT8]}
    for name, encoder in of_rows.items():
        with open_catalogue(settings) as catalogue:
            own = Workspace(settings, catalogue)
            embed_passages(catalogue, encoder, progress=SILENT)
            build_index(own, text_encoder=encoder.name, image_encoder=live_image_encoder(workspace.index), force=True)
            with Searcher(own, text_encoder=encoder) as searcher:

                def paths(query: str, searcher: Searcher = searcher) -> list[str]:
                    return [hit.path for hit in searcher.search(query, k=10)]

                found = {half: evaluate(queries, paths, field=name) for half, queries in halves.items()}
        for half, metrics in found.items():
            for kind in dict.fromkeys(metric.kind for metric in metrics):
                mine = {metric.metric: metric for metric in metrics if metric.kind == kind}
                table.row(name, half, kind, mine["ndcg@10"].value, mine["recall@10"].value, mine["ndcg@10"].queries)


def speed_of_queries(given: Namespace, report: Report, queries: Sequence[str], place: Path, int8: Path) -> None:
    """Compare models of MiniLM on single queries, with one thread."""
    files = {FP32: place / MODEL_FILE, INT8: int8, QUERY: place / QUERY_FILE}
    runtimes = {name: OnnxRuntime.open(file, threads=1) for name, file in files.items()}
    sample = [queries[at] for at in np.random.default_rng(0).permutation(len(queries))[: given.texts]]

    def one_by_one(encoder: MiniLM) -> Callable[[Sequence[str]], NDArray[np.float32]]:
        return lambda items: np.concatenate([encoder.encode([item]) for item in items])

    encoders = {name: (one_by_one(MiniLM(place, runtimes[name])), files[name]) for name in (FP32, INT8)}
    # Of several queries, none is remembered.
    with_query_model = MiniLM(place, runtimes[FP32], query=runtimes[QUERY])
    encoders[QUERY] = with_query_model.encode_queries, files[QUERY]
    speeds(report, "MiniLM, single queries", encoders, sample, given.rounds)


class OtherQueries:
    """An encoder of passages, with the queries of another one."""

    dimensions = MiniLM.dimensions

    def __init__(self, passages: MiniLM, queries: MiniLM) -> None:
        self.name = passages.name
        self.encode = passages.encode
        self.encode_queries = queries.encode
        self.coverage = passages.coverage


class Shown(CalibrationDataReader):
    """Prepared pictures, one at a time."""

    def __init__(self, prepared: Sequence[NDArray[np.float32]]) -> None:
        self._left = iter(prepared)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next picture."""
        one = next(self._left, None)
        return None if one is None else {"input": one[None]}


def pictures(given: Namespace, report: Report, library: Library, workspace: Workspace, folder: Path) -> None:
    """Compare exports of the built-in image encoder."""
    settings = replace(workspace.settings, image_encoder=BUILT_IN)
    name = export_image_encoder(settings)
    original = load_image_encoder(settings, name)
    assert isinstance(original, Clip)
    place = model_folder(settings.data / "models", name)
    memes = [meme for meme in workspace.catalogue.memes.everything() if meme.path in library.templates]
    halves = {half: [meme for meme in memes if half_of(library.templates[meme.path]) is half] for half in Half}
    random = np.random.default_rng(1)
    chosen = {half: [own[at] for at in random.permutation(len(own))[: given.pictures]] for half, own in halves.items()}

    def prepared(meme: Any) -> NDArray[np.float32]:
        decoded = decode_file(
            library.memes / meme.path, max_pixels=10**8, max_bytes=10**8, least_side=2 * original.side
        )
        return original.prepare(decoded.pictures[0])

    files = {FP32: place / IMAGE_FILE, FP16: folder / "image-fp16.onnx", INT8: folder / "image-int8.onnx"}
    onnx.save(convert_float_to_float16(onnx.load(str(files[FP32])), keep_io_types=True), str(files[FP16]))
    quant_pre_process(str(files[FP32]), str(folder / "whole.onnx"))
    shown = Shown([prepared(meme) for meme in chosen[Half.TUNED][:CALIBRATION]])
    quantize_static(folder / "whole.onnx", files[INT8], shown, per_channel=True, weight_type=QuantType.QInt8)
    asked = chosen[Half.HELD_OUT]
    given_pictures = [prepared(meme) for meme in asked]
    templates = np.array([library.templates[meme.path] for meme in asked])
    runtimes = {label: OnnxRuntime.open(file, threads=2) for label, file in files.items()}
    if has_openvino():
        runtimes["OpenVINO, fp32"] = OpenVino.open(files[FP32], threads=2)  # type: ignore[assignment]
        files["OpenVINO, fp32"] = files[FP32]

    def encode(runtime: Any) -> Callable[[Sequence[NDArray[np.float32]]], NDArray[np.float32]]:
        return lambda items: np.concatenate(
            [runtime.run({"input": np.stack(items[at : at + 16])}) for at in range(0, len(items), 16)]
        )

    encoders = {label: (encode(runtime), files[label]) for label, runtime in runtimes.items()}
    rows = speeds(report, "built-in image encoder", encoders, given_pictures[:96], given.rounds)
    table = report.table(
        "nearest picture, held out", {"pictures as": "", "same template": ".4f", "as fp32": ".4f", "of": ",d"}
    )
    rows = {label: encoders[label][0](given_pictures) for label in (FP32, FP16, INT8)}
    nearest = {
        label: np.where(np.eye(len(own), dtype=bool), -2, own @ own.T).argmax(axis=1) for label, own in rows.items()
    }
    for label, near in nearest.items():
        table.row(label, (templates[near] == templates).mean(), (near == nearest[FP32]).mean(), len(near))


def speeds(
    report: Report,
    what: str,
    encoders: dict[str, tuple[Callable[[Any], NDArray[np.float32]], Path]],
    items: Sequence[Any],
    rounds: int,
) -> dict[str, NDArray[np.float32]]:
    """Print time, size and agreement of each encoder on the same items; return its rows."""
    rows = {name: encode(items) for name, (encode, _) in encoders.items()}
    spent: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(rounds):
        for name, (encode, _) in encoders.items():
            begun = time.process_time()
            encode(items)
            spent[name].append(time.process_time() - begun)
    columns = {"as": "", "MB": ".0f", "ms of processor": ".1f", "of fp32": ".2f"}
    columns |= {"cosine, mean": ".4f", "5 %": ".4f", "least": ".4f"}
    table = report.table(what, columns)
    for name, (_, file) in encoders.items():
        cosines = (rows[name] * rows[FP32]).sum(axis=1)
        ratio = np.median(np.array(spent[name]) / np.array(spent[FP32]))
        cost = 1000 * float(np.median(spent[name])) / len(items)
        table.row(
            name, file.stat().st_size / 1e6, cost, ratio, cosines.mean(), np.quantile(cosines, 0.05), cosines.min()
        )
    return rows


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
