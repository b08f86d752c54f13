"""Pages in a browser: time to the first byte, the first and the largest paint, and what is sent before anybody scrolls.

    python -m benchmarks.page_loads
    python -m benchmarks.page_loads real_memes --memes 400 --query cat

Serves the library from a process of its own and opens home, results, a meme and a category in headless Chromium, each
run in a new profile without a cache, at the widths of a phone and of a laptop. Times are the browser's own, from the
start of the navigation: `PerformanceObserver` of paints and layout shifts. Each page is opened once before, so that no
run waits for what the server loads once. The median of the runs is the figure.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.browser import chromium
from benchmarks.data import add_library, library_of
from benchmarks.harness import Benchmark, Report
from benchmarks.http import server
from search.catalogue import Catalogue
from search.meme import MediaType
from web.schemas import category_url, page_url

BENCHMARK = Benchmark(__doc__, needs="Chromium and playwright", takes="2 minutes with an index")
add_library(BENCHMARK, small=12)
BENCHMARK.option("--query", "dog", help="words of the results page")
BENCHMARK.option("--runs", 7, small=1, help="new profiles for each page")

SCREENS = {390: 844, 1280: 800}  # height by width
SETTLED_MS = 700  # after `load`, for paints and shifts that come later
OBSERVE = """
  window.seen = { shift: 0 };
  new PerformanceObserver((list) => {
    const last = list.getEntries().at(-1);
    seen.lcp = last.renderTime || last.startTime;
    seen.what = last.element?.tagName ?? "";
  }).observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => list.getEntries().forEach((one) => (seen.shift += one.value)))
    .observe({ type: "layout-shift", buffered: true });
"""
READ = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const files = performance.getEntriesByType("resource");
  const sent = (kinds) => files.filter((one) => kinds.test(one.name.split("?")[0]))
    .reduce((sum, one) => sum + one.encodedBodySize, 0);
  const whole = [...document.querySelectorAll(".grid .picture")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth;
  }).length;
  return {
    ttfb: page.responseStart, load: page.loadEventEnd, html: page.encodedBodySize, whole,
    fcp: performance.getEntriesByName("first-contentful-paint")[0]?.startTime, ...seen,
    code: sent(/\\.(css|js)$/), pictures: sent(/\\.(webp|png|jpe?g|gif|avif)$/),
  };
}"""


@dataclass(frozen=True)
class Stop:
    """A page to measure."""

    name: str
    address: str


def stops(catalogue: Catalogue, query: str) -> list[Stop]:
    """Return home, results, the newest picture's page and the largest category."""
    meme = next(one for one in catalogue.memes.freshest(200) if one.type is MediaType.IMAGE and one.width)
    category = max(catalogue.memes.categories(), key=lambda one: one[1])[0]
    return [
        Stop("home", "/"),
        Stop("results", f"/?q={query}"),
        Stop("meme", page_url(meme)),
        Stop("category", category_url(category)),
    ]


def visit(browser: Any, address: str, width: int) -> dict[str, Any]:
    """Open a page in a new profile, and return what the browser observed."""
    context = browser.new_context(viewport={"width": width, "height": SCREENS[width]}, is_mobile=width < 500)
    try:
        context.add_init_script(OBSERVE)
        page = context.new_page()
        page.goto(address, wait_until="load")
        page.wait_for_timeout(SETTLED_MS)
        found: dict[str, Any] = page.evaluate(READ)
        return found
    finally:
        context.close()


def measure(given: Namespace, report: Report) -> None:
    """Print the medians of each page at each width."""
    library = library_of(given)
    with library.workspace() as workspace:
        pages = stops(workspace.catalogue, given.query)
        settings = workspace.settings
    times = {"page": "", "first byte ms": ".0f", "first paint ms": ".0f", "largest ms": ".0f", "load ms": ".0f"}
    sizes = {"HTML kB": ".1f", "CSS and JS kB": ".1f", "pictures kB": ".0f", "whole": "d", "shift": ".4f"}
    table = report.table("pages", times | sizes)
    names = ("ttfb", "fcp", "lcp", "load", "html", "code", "pictures", "whole", "shift")
    with chromium() as browser, server(settings, image_encoder=None) as (address, _):
        for page in pages:
            for width in SCREENS:
                found = [visit(browser, f"http://{address}{page.address}", width) for _ in range(given.runs + 1)][1:]
                value = {name: median(one[name] for one in found) for name in names}
                kilobytes = (value[name] / 1000 for name in ("html", "code", "pictures"))
                row = (*(value[name] for name in names[:4]), *kilobytes, int(value["whole"]), value["shift"])
                table.row(f"{page.name}, {width} px", *row)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
