"""The Searcher, the entry point of this package: it answers queries over the live generation of an index."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from numbers import Integral
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from PIL import Image

from search.catalogue import open_catalogue
from search.encoders.base import ImageEncoder, TextEncoder
from search.encoders.clip_models import spec_of
from search.encoders.registry import (
    image_encoder_spec,
    load_image_encoder,
    text_encoder_spec,
)
from search.errors import MemeticaError, ModelUnavailable, WrongUse
from search.images.loading import load_image
from search.index.contract import Index
from search.index.live import LiveIndex, or_from_files
from search.index.status import (
    IndexStatus,
    eyes_sentence,
    image_encoder_notes,
    missing_data_notes,
    reads_sentence,
    text_encoder_notes,
)
from search.meme import Field, Likeness, Meme, Sort
from search.pipeline import QueryPipeline
from search.ranking.fusion import Scores
from search.ranking.likeness import MOST_COMPARED, SHOWN, distinct, with_their_variants
from search.ranking.matching import HitList, RelevantRanking
from search.ranking.paging import PageRequest, answer_page, checked_page, hits_of, without_vanished
from search.ranking.query_plan import QueryPlan
from search.ranking.relevance import relevance_rule
from search.ranking.remembered import RememberedAnswers
from search.results import Answer, Hit, Understood
from search.settings import Settings
from search.workspace import Workspace


class Searcher:
    """Searches the live generation of an index. Any thread may use it; close it, or use it in a `with` statement.

    >>> with Searcher(workspace, text_encoder=encoder) as searcher:
    ...     searcher.search("dog in a burning room")[0].path
    'Dogs/fine.png'
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        text_encoder: TextEncoder | None = None,
        index: Index | None = None,
        load_images: Callable[[Settings, str], ImageEncoder] | None = None,
        load_texts: Callable[[Settings, str], TextEncoder] | None = None,
    ) -> None:
        """Search a workspace that the caller keeps open.

        `load_images` returns the image encoder of a name; it is called when a search first needs one. Without
        `text_encoder`, `load_texts` returns the one that made the index, again whenever a newer index was made with
        another. Raises IndexUnusable or ModelUnavailable when there is no index or no text encoder.
        """
        self._live = LiveIndex(workspace.settings, text_encoder=text_encoder, index=index, load_texts=load_texts)
        self._workspace = workspace
        self._owns_workspace = False
        self._settings = workspace.settings
        self._load_images = load_images or load_image_encoder
        self._chosen_encoder, self._choice_error = image_encoder_spec(workspace.settings), ""
        self._image_encoder_error = ""  # why the image encoder that made the index cannot be used
        self._catalogue = workspace.catalogue
        self._own_encoder = text_encoder
        self._chosen_text_encoder, self._text_choice_error = text_encoder_spec(workspace.settings), ""
        self._remembered = RememberedAnswers()
        self._closed = False
        self._pool = ThreadPoolExecutor(workspace.settings.threads, thread_name_prefix="search")

    @classmethod
    def open(
        cls,
        data: Path | str | None = None,
        *,
        settings: Settings | None = None,
        text_encoder: TextEncoder | None = None,
    ) -> Self:
        """Return a searcher over a data folder; closing the searcher closes the folder's catalogue too.

        Without `data` it is the folder that the command uses: MEMETICA_DATA, or `default_data_folder()`.
        `settings` replace those of the environment and of the data folder; they include the data folder's path.
        Raises DataFolderError, IndexUnusable or ModelUnavailable; WrongUse when `settings` have another
        data folder than `data`.

        >>> searcher = Searcher.open(workspace.data, text_encoder=encoder)
        >>> searcher.search("robot").total
        3
        >>> searcher.close()
        """
        if settings is None:
            workspace = Workspace.open(data)
        else:
            if data is not None and Path(data).expanduser().absolute() != settings.absolute().data:
                raise WrongUse(
                    f"The settings name the data folder {settings.data}, not {data}.", hint="Leave out one of the two."
                )
            workspace = Workspace(settings, open_catalogue(settings, create=False))
        try:
            searcher = cls(workspace, text_encoder=text_encoder)
        except BaseException:
            workspace.close()
            raise
        searcher._owns_workspace = True
        return searcher

    def close(self) -> None:
        """Stop the searcher's threads, and close the workspace if `open` opened it. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._pool.shutdown()
        if self._owns_workspace:
            self._workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def index(self) -> Index:
        """The open index generation."""
        return self._live.index

    def reload_if_changed(self) -> bool:
        """Switch to the live generation if it is newer than the open one; return whether it was.

        Requests in progress keep the generation that they started with. When the newer generation cannot be used, the
        searcher keeps the open one, and `status` has the reason.
        """
        return self._live.reload_if_changed()

    def choose(self, image_encoder: str, *, error: MemeticaError | None = None) -> None:
        """Record, for `status`, the image encoder chosen in the settings and the error that makes it unusable.

        Searches still use the encoder that made the index.
        """
        self._chosen_encoder = image_encoder
        self._choice_error = f"{error.message} {error.hint}".strip() if error is not None else ""

    def choose_text_encoder(self, text_encoder: str, *, error: MemeticaError | None = None) -> None:
        """Record, for `status`, the text encoder chosen in the settings and the error that makes it unusable.

        Searches still use the encoder that made the index.
        """
        self._chosen_text_encoder = text_encoder
        self._text_choice_error = f"{error.message} {error.hint}".strip() if error is not None else ""

    def status(self) -> IndexStatus:
        """Return what the live generation contains and what is missing from it; raise IndexUnusable when it is damaged.

        >>> searcher.status().memes
        9
        """
        self.reload_if_changed()
        index, encoder = self._live.opened
        index.check_unchanged()
        manifest = index.manifest
        return IndexStatus(
            generation=manifest.generation,
            built_at=manifest.built_at,
            revision=manifest.revision,
            fresh=self._catalogue.is_indexed(manifest.revision),
            memes=manifest.memes,
            rows=dict(manifest.rows),
            text_encoder=manifest.text_encoder,
            image_encoder=manifest.image_encoder,
            missing=self._missing(),
            eyes=eyes_sentence(spec_of(manifest.image_encoder)),
            reads=reads_sentence(encoder),
        )

    def _missing(self) -> tuple[str, ...]:
        index, encoder = self._live.opened
        refusal = self._live.refusal
        found = [f"The newest index cannot be used: {refusal}"] if refusal else []
        found += missing_data_notes(index) + image_encoder_notes(
            index, chosen=self._chosen_encoder, load_error=self._choice_error
        )
        if self._own_encoder is None:
            found += text_encoder_notes(
                encoder,
                chosen=self._chosen_text_encoder,
                load_error=self._text_choice_error,
                is_fitted=relevance_rule(self._settings, encoder).is_fitted,
            )
        if index.manifest.image_encoder and self._image_encoder(index) is None:
            found.append(f"Words do not find images: {self._image_encoder_error}")
        return tuple(found)

    def _image_encoder(self, index: Index) -> ImageEncoder | None:
        """Return the image encoder that made an index; None when there is none or it cannot be used."""
        if not index.count_rows(Field.PICTURE):
            return None
        try:
            encoder = self._load_images(self._settings, index.manifest.image_encoder)
        except ModelUnavailable as error:
            self._image_encoder_error = f"{error.message} {error.hint}".strip()
            return None
        self._image_encoder_error = ""
        return encoder

    @or_from_files
    def search(
        self,
        query: str = "",
        *,
        image: Image.Image | Path | str | None = None,
        k: int = 30,
        offset: int = 0,
        sort: Sort = Sort.RELEVANCE,
        category: str | None = None,
        collapse: bool = False,
        verbatim: bool = False,
    ) -> Answer:
        """Return a page of the memes that match a query, an image, or both; without either, of all memes, newest first.

        A category includes its subcategories: `TV` includes `TV - Star Trek`. With `collapse`, variants are one hit.
        `verbatim` turns spelling correction off. An image may be given by its path, where Pillow reads the file. Raises
        NotFound for an unknown category, UnreadableFile for a file that is not an image, WrongUse for an invalid page
        or order and for arguments of another type.

        >>> answer = searcher.search("dog type:image -medal", k=5)
        >>> answer[0].path, answer.understood.operators[0].means
        ('Dogs/fine.png', 'image')
        """
        started = perf_counter()
        order = checked_page(k, offset, sort)
        if not isinstance(query, str):
            raise WrongUse(f"A query is a text, not {query!r}.")
        pipeline = self._pipeline()
        picture = load_image(image, max_pixels=self._settings.max_pixels) if image is not None else None
        plan, found = self._found(pipeline, query, image=picture, category=category, verbatim=verbatim)
        understood = plan.understood(sort=order, category=category, has_image=picture is not None)
        page = PageRequest(
            k, offset, order, collapse and not plan.filters.opens_variants, started, self._workspace.thumbnails
        )
        return answer_page(
            self._catalogue,
            pipeline.index,
            found,
            terms=plan.terms,
            quotes=plan.quotes,
            named=frozenset(plan.named.ids.tolist()),
            understood=understood,
            page=page,
        )

    @or_from_files
    def similar(
        self, meme: Meme | Hit | int | str | Path, *, by: Likeness = Likeness.ALL, k: int = 12, offset: int = 0
    ) -> Answer:
        """Return a page of the memes similar to `meme`, without `meme` itself and without memes that are not alike.

        The meme may be given as a meme, a hit, an id, or a path, relative to the library or absolute. Raises NotFound
        when there is no such meme, WrongUse for an unknown likeness or an invalid page.

        >>> searcher.similar("Dogs/fine.png", k=3).understood.similar_to
        <Meme ... 'Dogs/fine.png'>
        """
        started = perf_counter()
        checked_page(k, offset, Sort.RELEVANCE)
        if by not in set(Likeness):
            raise WrongUse(f"There is no likeness {by!r}.", hint=f"Choose one of {', '.join(Likeness)}.")
        pipeline = self._pipeline()
        found = self._meme(meme)
        plan = pipeline.plan_similar(found, Likeness(by))
        return answer_page(
            self._catalogue,
            pipeline.index,
            pipeline.find(plan),
            terms=plan.terms,
            understood=Understood(similar_to=found, likeness=Likeness(by)),
            page=PageRequest(k, offset, Sort.RELEVANCE, False, started, self._workspace.thumbnails),
        )

    @or_from_files
    def relatives(self, meme: Meme | Hit | int | str | Path, *, k: int = 8) -> dict[Likeness, tuple[Hit, ...]]:
        """Return up to k memes that are like `meme` by each likeness that finds any, as its page shows them.

        Each is what `similar` finds by that likeness, without memes that a likeness before it has, and of variants of
        each other the best one; the index is asked once. Raises NotFound when there is no such meme.

        >>> [str(likeness) for likeness in searcher.relatives("Dogs/fine.png", k=3)]
        ['template', 'look']
        """
        checked_page(k, 0, Sort.RELEVANCE)
        pipeline, found = self._pipeline(), self._meme(meme)
        answers = {}
        shown: set[int] = set()
        for likeness, (plan, all_hits) in pipeline.relatives(found, SHOWN).items():
            hits = without_vanished(self._catalogue, pipeline.index, all_hits)
            ids = hits.ids[: len(shown) + MOST_COMPARED]
            if likeness is Likeness.TEMPLATE:  # whose memes are variants of each other
                shown |= with_their_variants(ids, pipeline.index.columns)
                chosen = ids[:k]
            else:
                chosen = distinct(ids, pipeline.index.columns, known=shown)[:k]
                shown |= with_their_variants(chosen, pipeline.index.columns)
            if len(chosen):
                answers[likeness] = tuple(
                    hits_of(self._catalogue, pipeline.index, hits, chosen, certain=chosen, terms=plan.terms)
                )
        return answers

    @or_from_files
    def scores(self, query: str) -> Scores:
        """Return the score of every candidate of a query by every signal, including signals without a weight.

        >>> scores = searcher.scores("dog in a burning room")
        >>> [str(signal) for signal in scores.by_signal][:3]
        ['lexical.all', 'lexical.analysis', 'lexical.description']
        """
        pipeline = self._pipeline()
        return pipeline.scores(pipeline.plan(query, all_signals=True))

    def _pipeline(self) -> QueryPipeline:
        """Return the pipeline over the live generation.

        Raises WrongUse when the searcher is closed, IndexUnusable when a file of the open generation was damaged since.
        """
        if self._closed:
            raise WrongUse("The searcher is closed.", hint="Open another one: Searcher.open(data).")
        self.reload_if_changed()
        index, encoder = self._live.opened
        index.check_unchanged()
        rule = relevance_rule(self._settings, encoder)
        return QueryPipeline(
            self._catalogue,
            index,
            encoder,
            weights=self._settings.weights,
            image_encoder=lambda: self._image_encoder(index),
            pool=self._pool,
            line=rule.line,
            model=rule.model,
        )

    def _found(
        self, pipeline: QueryPipeline, query: str, *, image: Image.Image | None, category: str | None, verbatim: bool
    ) -> tuple[QueryPlan, HitList]:
        """Return the plan of a query and all its hits: those of the last queries are remembered, without images."""

        def plan() -> QueryPlan:
            return pipeline.plan(query, image=image, category=category, verbatim=verbatim)

        if image is not None:
            made = plan()
            return made, pipeline.find(made)
        state = pipeline.index.name, self._catalogue.revision(), self._catalogue.tags.newest()

        def is_kept() -> bool:
            return not self._image_encoder_error  # it may be there for the next query

        def find() -> tuple[QueryPlan, HitList]:
            made = plan()

            def relevant() -> RelevantRanking:  # filters select among what it has, so a facet needs no other
                text = ("relevant", query, verbatim)
                return self._remembered.get(state, text, lambda: pipeline.relevant(made), is_kept=is_kept)

            return made, pipeline.find(made, relevant=relevant)

        key = ("hits", query, category, verbatim)
        return self._remembered.get(state, key, find, ids=lambda found: len(found[1].ids), is_kept=is_kept)

    def _meme(self, named: Meme | Hit | int | str | Path) -> Meme:
        if isinstance(named, Meme):
            return named
        if isinstance(named, Hit):
            return named.meme
        if isinstance(named, Integral):  # a column of numpy or pandas has ids of their types
            return self._catalogue.memes.get(int(named))
        if not isinstance(named, str | Path):
            raise WrongUse(f"A meme is given as a hit, an id or a path, not as {named!r}.")
        path = Path(named)
        with suppress(ValueError):  # of another folder
            path = path.relative_to(self._workspace.library)
        return self._catalogue.memes.at(path.as_posix())
