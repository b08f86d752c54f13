"""Health check and Prometheus metrics: requests, latencies and the state of the index."""

from __future__ import annotations

from time import perf_counter

from flask import Blueprint, Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from search.index.status import IndexStatus
from web.context import site
from web.formatting import without_folders

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Return status ok, and whether the site can search, or why not; that is no reason to restart the server."""
    status = site().index_status()
    if isinstance(status, IndexStatus):
        return jsonify({"status": "ok", "search": True})
    return jsonify(
        {"status": "ok", "search": False, "reason": without_folders(f"{status.message} {status.hint}".strip())}
    )


def register(app: Flask) -> None:
    """Count and time every request of an application, and serve the metrics at /metrics."""
    registry = CollectorRegistry()
    requests = Counter("memetica_requests", "Requests answered.", ("endpoint", "status"), registry=registry)
    seconds = Histogram(
        "memetica_request_seconds",
        "Seconds to answer a request.",
        ("endpoint",),
        buckets=(0.005, 0.01, 0.015, 0.025, 0.04, 0.1, 0.25, 1, 5),
        registry=registry,
    )
    memes = Gauge("memetica_memes", "Memes in the live index.", registry=registry)
    fresh = Gauge("memetica_index_fresh", "1 when the index is up to date with the catalogue.", registry=registry)
    live = Info("memetica_index", "The live generation of the index; empty without an index.", registry=registry)

    @app.before_request
    def start_timer() -> None:
        g.started = perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        requests.labels(endpoint, str(response.status_code)).inc()
        if "started" in g:
            seconds.labels(endpoint).observe(perf_counter() - g.started)
        return response

    @app.get("/metrics")
    def metrics() -> Response:
        status = site().index_status()
        memes.set(status.memes if isinstance(status, IndexStatus) else 0)
        live.info({"generation": status.generation if isinstance(status, IndexStatus) else ""})
        fresh.set(1 if isinstance(status, IndexStatus) and status.fresh else 0)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
