"""What is like a meme by several likenesses at once, as on its page, is what `similar` finds by each."""

from __future__ import annotations

from search.meme import Likeness
from search.results import Hit
from search.searcher import Searcher
from search.workspace import Workspace

K = 8
ORDER = (Likeness.TEMPLATE, Likeness.LOOK, Likeness.MEANING, Likeness.WORDS)


def told_apart(searcher: Searcher, id: int) -> dict[Likeness, tuple[Hit, ...]]:
    """Return the relatives of a meme by one search for each likeness, each without those of the searches before it."""
    variants = searcher.index.columns.variants
    found: dict[Likeness, tuple[Hit, ...]] = {}
    shown: set[int] = set()
    for by in ORDER:
        hits = list(searcher.similar(id, by=by, k=len(shown) + 60))
        if by is not Likeness.TEMPLATE:
            known, kept = set(shown), []
            for hit in hits:
                if hit.meme.id not in known:
                    kept.append(hit)
                    known |= set(variants(hit.meme.id).tolist())
            hits = kept
        for hit in hits if by is Likeness.TEMPLATE else hits[:K]:
            shown |= {hit.meme.id, *variants(hit.meme.id).tolist()}
        if hits:
            found[by] = tuple(hits[:K])
    return found


def test_relatives_are_those_that_a_search_by_each_likeness_finds(
    frozen_searcher: Searcher, frozen_workspace: Workspace
) -> None:
    seen: set[Likeness] = set()
    for meme in frozen_workspace.catalogue.memes.everything():
        found = frozen_searcher.relatives(meme, k=K)
        assert found == told_apart(frozen_searcher, meme.id), meme.path
        seen |= set(found)
    assert seen >= {Likeness.TEMPLATE, Likeness.MEANING}
