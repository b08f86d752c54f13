"""What a monitor asks for: is it alive, how much does it do, how quick is it."""

from __future__ import annotations

from time import perf_counter

from flask import Blueprint, Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from search.index.status import IndexStatus
from web.context import site

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the server answers; say too whether it can search, which is no reason to kill it."""
    return jsonify({"status": "ok", "search": isinstance(site().index_status(), IndexStatus)})


def register(app: Flask) -> None:
    """Count and time every request of an app, and serve the figures at /metrics."""
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
    fresh = Gauge("memetica_index_fresh", "1 when the index is as new as the catalogue.", registry=registry)
    live = Info("memetica_index", "The live generation of the index, empty while there is none.", registry=registry)

    @app.before_request
    def begin() -> None:
        g.begun = perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        requests.labels(endpoint, str(response.status_code)).inc()
        if "begun" in g:
            seconds.labels(endpoint).observe(perf_counter() - g.begun)
        return response

    @app.get("/metrics")
    def metrics() -> Response:
        status = site().index_status()
        memes.set(status.memes if isinstance(status, IndexStatus) else 0)
        live.info({"generation": status.generation if isinstance(status, IndexStatus) else ""})
        fresh.set(1 if isinstance(status, IndexStatus) and status.fresh else 0)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
