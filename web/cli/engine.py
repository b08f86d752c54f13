"""`memetica index --into`: write the index to an engine, compare it with the one in the data folder, search there."""

from __future__ import annotations

from indexer.stages.write_engine import write_engine
from search.errors import WrongUse
from search.evaluation.engines import compare_engines
from search.evaluation.known_items import QUOTE, quote_queries
from search.index.local import LocalIndex
from search.index.stores import LOCAL, open_store
from search.index.text_encoder import load_text_encoder_in_use
from search.settings import save_setting
from search.workspace import Workspace
from web.cli.command import Session
from web.cli.terminal import counted

COMPARED = 200  # known items


def write_into(session: Session, workspace: Workspace, engine: str) -> int:
    """Write the index to an engine and search there from now on, or search in the data folder again; return 0."""
    terminal = session.terminal
    if engine != LOCAL:
        manifest = write_engine(workspace, engine=engine)
        assert manifest is not None
        terminal.say(f"{engine} has {counted(manifest.memes, 'meme')} now, in {manifest.generation}.")
    save_setting(workspace.data, "index_engine", engine)
    where = "the data folder" if engine == LOCAL else engine
    terminal.say(f"Search asks {where} from now on; a server that runs must be started again.")
    return 0


def compare_with(session: Session, workspace: Workspace, engine: str) -> int:
    """Ask the data folder's index and an engine for known items, show how their answers compare; return 0."""
    if engine == LOCAL:
        raise WrongUse(
            "There is no engine to compare with.", hint="Name it: memetica index --into qdrant:URL --compare"
        )
    own = LocalIndex.open(workspace.index)
    queries = [one.query for one in quote_queries(workspace.catalogue, own, sample=COMPARED) if one.kind == QUOTE]
    if not queries:
        raise WrongUse("There are no known items to ask for: no meme has three words of text in its picture.")
    found = compare_engines(
        workspace.catalogue,
        (own, open_store(workspace.settings, engine=engine).open()),
        load_text_encoder_in_use(workspace.settings, long_running=True),
        queries,
        weights=workspace.settings.weights,
    )
    terminal = session.terminal
    local_ms, engine_ms = found.milliseconds
    if terminal.as_json:
        terminal.row(
            {
                "queries": found.queries,
                "overlap@10": round(found.overlap, 4),
                "same first": round(found.same_first, 4),
                "same order": round(found.same_order, 4),
                "local ms": round(local_ms, 1),
                "engine ms": round(engine_ms, 1),
                "different": list(found.different),
            }
        )
        return 0
    terminal.say(
        f"{found.queries:,} known items: {found.overlap:.3f} of the first ten hits are the same, "
        f"{found.same_first:.3f} of the first hits, {found.same_order:.3f} of the first ten in their order. "
        f"Half of the queries took at most {local_ms:.0f} ms here and {engine_ms:.0f} ms there."
    )
    for query in found.different[:10]:
        terminal.say(f"Different: {query}", style="dim")
    return 0
