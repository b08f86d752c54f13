"""A workspace: the settings, the catalogue, and every path of the data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from search.catalogue import Catalogue, open_catalogue
from search.settings import Settings, load_settings


@dataclass(frozen=True)
class Workspace:
    """The settings and the open catalogue of one data folder, and the paths in it.

    Close it, or use it in a `with` statement; closing it closes the catalogue.

    >>> with Workspace.open(folder / "data", create=True, library=folder / "memes") as made:
    ...     made.catalogue.memes.count(), made.library.name
    (0, 'memes')
    """

    settings: Settings
    catalogue: Catalogue

    @classmethod
    def open(
        cls, data: Path | str | None = None, *, create: bool = False, migrate: bool = False, **settings: Any
    ) -> Self:
        """Return the workspace of a data folder; with `create`, make the folder and its catalogue if they are missing.

        Without `data` it is the folder that the command uses: MEMETICA_DATA, or `default_data_folder()`.
        With `migrate`, a catalogue of an earlier version is copied and brought up to date; without, it is refused.

        Other keywords are settings by name; they override the environment and the folder's `settings.json`.
        Raises DataFolderError when the folder cannot be used or, without `create`, does not exist; WrongUse for a bad
        setting.
        """
        chosen = load_settings({"data": None if data is None else Path(data), **settings})
        return cls(chosen, open_catalogue(chosen, create=create, migrate=migrate))

    @property
    def library(self) -> Path:
        """The folder that holds the categories."""
        return self.settings.library

    @property
    def data(self) -> Path:
        """The data folder: catalogue, index, models, thumbnails, trash and inbox."""
        return self.settings.data

    @property
    def index(self) -> Path:
        """The folder of the index's generations."""
        return self.settings.data / "index"

    @property
    def keypoints(self) -> Path:
        """The folder of the index of keypoints, by which duplicates are found."""
        return self.settings.data / "keypoints"

    @property
    def models(self) -> Path:
        """The folder of exported models."""
        return self.settings.data / "models"

    @property
    def thumbnails(self) -> Path:
        """The folder of thumbnails, named by content hash."""
        return self.settings.data / "thumbnails"

    @property
    def trash(self) -> Path:
        """The folder of files that were moved out of the library."""
        return self.settings.data / "trash"

    @property
    def backups(self) -> Path:
        """The folder of the automatic copies of the catalogue."""
        return self.settings.data / "backups"

    @property
    def inbox(self) -> Path:
        """The folder of uploads."""
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
