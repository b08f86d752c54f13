"""A workspace: the settings, the catalogue that they name, and where everything in the data folder lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from search.catalogue import Catalogue, open_catalogue
from search.settings import Settings, load_settings


@dataclass(frozen=True)
class Workspace:
    """One data folder at work: what was chosen, what is known, and the paths that follow from both.

    Close it, or use it in a `with` statement; closing it closes the catalogue.
    """

    settings: Settings
    catalogue: Catalogue

    @classmethod
    def open(cls, data: Path | str = ".memetica", *, create: bool = False, **settings: Any) -> Self:
        """Return the workspace of a data folder; the folder and its catalogue are made where `create` says so.

        Further keywords are settings by name, and come before the environment and the folder's `settings.json`. Raises
        DataFolderError when the folder cannot be used or, without `create`, is not there; WrongUse for a bad setting.
        """
        chosen = load_settings({"data": Path(data), **settings})
        return cls(chosen, open_catalogue(chosen, create=create))

    @property
    def library(self) -> Path:
        """The folder that holds the categories."""
        return self.settings.library

    @property
    def data(self) -> Path:
        """The data folder: Memetica's own."""
        return self.settings.data

    @property
    def index(self) -> Path:
        """The folder of the index's generations."""
        return self.settings.data / "index"

    @property
    def models(self) -> Path:
        """The folder of the models that were made ready."""
        return self.settings.data / "models"

    @property
    def thumbnails(self) -> Path:
        """The folder of thumbnails, by content."""
        return self.settings.data / "thumbnails"

    @property
    def trash(self) -> Path:
        """The folder of files that a decision took out of the library."""
        return self.settings.data / "trash"

    @property
    def inbox(self) -> Path:
        """The folder of uploads that wait for a decision."""
        return self.settings.data / "inbox"

    def close(self) -> None:
        """Close the catalogue."""
        self.catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
