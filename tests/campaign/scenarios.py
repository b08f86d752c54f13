"""Every command that writes, with what it needs to have something to write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.campaign.commands import Ran, memetica
from tests.campaign.library import NEW_PASSWORD, OLD_PASSWORD, Folder
from tests.support.shapes import MISPLACED
from tests.support.tiny import TINY
from tests.support.uploading import drawn
from tests.support.vision_server import Says, VisionServer

Words = Sequence[str | Path]
UPLOADS = ("zeppelin.png", "submarine.png", "balloon.png")
BAD_WEIGHTS = "lexical.all=0,semantic.name=0,semantic.ocr=0,semantic.description=0,semantic.analysis=0.01"


class Base(StrEnum):
    """What a folder holds before a scenario prepares it; each has what the one before it has."""

    PLAIN = "plain"  # the tiny library with duplicates, indexed and compared; a password and a verdict
    INBOX = "inbox"  # uploads: one accepted, one discarded, one examined
    SHAPES = "shapes"  # 60 memes in categories, one of them misfiled, and a category model


@dataclass(frozen=True)
class Scenario:
    """A command that is killed: `prepare` readies the folder once, `words` are its arguments."""

    name: str
    words: Callable[[Folder], Words]
    prepare: Callable[[Folder], None] = lambda folder: None
    stdin: str = ""
    in_parts: bool = False  # it changes several things one after the other, each wholly
    may_refuse_again: bool = True  # a second run may say that there is nothing left to do
    is_appended: bool = False  # each run adds a row to the ledger, also where it says what stands there
    completes: bool = True  # a second run ends as one that was not killed; not where groups are formed anew
    base: Base = Base.PLAIN
    describes: bool = False

    def run_arguments(self, folder: Folder, endpoint: str) -> Words:
        """Return the whole command line."""
        found = [*self.words(folder), *folder.places]
        return [*found, "--endpoint", endpoint] if self.describes else found


def done(*words: str | Path, folder: Folder, stdin: str = "") -> Ran:
    """Run a command that must succeed."""
    ran = memetica(*words, *folder.places, stdin=stdin)
    if ran.code != 0:
        raise RuntimeError(f"memetica {' '.join(map(str, words))} ended with {ran.code}: {ran.err}")
    return ran


def prepare_base(folder: Folder, base: Base = Base.PLAIN) -> None:
    """Draw a library into a new folder and bring it to a state by commands."""
    folder.path.mkdir()
    folder.draw(shapes=base is Base.SHAPES)
    done("index", folder=folder)
    done("duplicates", "find", folder=folder)
    done("password", "--stdin", stdin=f"{OLD_PASSWORD}\n", folder=folder)
    done("verdict", "distinct", "Dogs/fine.png", "Robots/toaster.png", folder=folder)
    if base is Base.SHAPES:
        done("categories", "train", folder=folder)
    if base is not Base.PLAIN:
        for number, name in enumerate(UPLOADS):
            (folder.given / name).write_bytes(drawn(number + 1))
        done("upload", *(folder.given / name for name in UPLOADS), folder=folder)
        done("inbox", "accept", "1", "--category", "Robots", folder=folder)
        done("inbox", "discard", "2", folder=folder)


def _new_files(folder: Folder) -> None:
    """Change the library as people do: two memes come, one is renamed, one goes, a text is written again."""
    (folder.library / "Cats/new one.png").write_bytes(drawn(5))
    (folder.library / "New").mkdir()
    (folder.library / "New/another.jpg").write_bytes(drawn(6, form="JPEG"))
    for file in folder.library.glob("Robots/no words.png*"):
        file.rename(file.with_name(file.name.replace("no words", "wordless")))
    for file in folder.library.glob("Cats - Kittens/small.png*"):
        file.unlink()
    (folder.library / "Dogs/fine.png.txt").write_text("everything is fine", "utf-8")


def _more_pictures(folder: Folder) -> None:
    for number in (7, 8):
        (folder.given / f"more {number}.png").write_bytes(drawn(number))


def merged(folder: Folder) -> None:
    """Merge the identical memes."""
    done("duplicates", "apply", "identical", "--yes", folder=folder)


def moved(folder: Folder) -> None:
    """Move the misplaced shape."""
    done("categories", "move", issue(folder), folder=folder)


def _judged(folder: Folder) -> None:
    """Write judged queries that any weights but those of the settings answer."""
    done("index", folder=folder)
    queries = [
        {"query": f"{words} {number}", "relevant": [tiny.path], "kind": "description"}
        for number in range(12)
        for tiny in TINY
        if (words := tiny.description or tiny.ocr)
    ]
    (folder.given / "judged.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in queries), "utf-8")
    settings = folder.data / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text("utf-8")) | {"weights": BAD_WEIGHTS}), "utf-8")


def _backed_up(folder: Folder) -> None:
    done("duplicates", "apply", "identical", "--yes", folder=folder)
    done("backup", folder.given / "kept.zip", folder=folder)
    done("verdict", "distinct", "Cats/monday.png", "Dogs/fine.png", folder=folder)
    done("inbox", "restore", "2", folder=folder)


def _exported(folder: Folder) -> None:
    done("verdict", "distinct", "Cats/monday.png", "Robots/toaster.png", folder=folder)
    done("verdict", "export", folder.given / "ledger.jsonl", folder=folder)
    done("undo", verdict(folder, "not duplicates"), folder=folder)


def _with_the_small_clip(folder: Folder) -> None:
    done("models", "--use", "small-clip", folder=folder)
    done("models", "--use", "none", folder=folder)


def _nothing_indexed(folder: Folder) -> None:
    shutil.rmtree(folder.data)


def verdict(folder: Folder, kind: str) -> str:
    """Return the id of the latest verdict of a kind."""
    return folder.row(f"SELECT uid FROM verdicts WHERE kind = '{kind}' ORDER BY id DESC LIMIT 1")


def issue(folder: Folder) -> str:
    """Return the key of the issue about the misplaced shape."""
    rows = map(json.loads, done("categories", "audit", "--kind", "misfiled", "--json", folder=folder).out.splitlines())
    return str(next(row["finding"] for row in rows if MISPLACED in json.dumps(row)))


SCENARIOS = (
    Scenario("index", lambda folder: ("index",), _new_files, may_refuse_again=False),
    Scenario("index, first", lambda folder: ("index",), _nothing_indexed, may_refuse_again=False),
    Scenario(
        "upload",
        lambda folder: ("upload", *sorted(folder.given.glob("more*"))),
        _more_pictures,
        in_parts=True,
        base=Base.INBOX,
    ),
    Scenario("inbox accept", lambda folder: ("inbox", "accept", "3", "--category", "New"), base=Base.INBOX),
    Scenario("inbox discard", lambda folder: ("inbox", "discard", "3"), base=Base.INBOX),
    Scenario("inbox restore", lambda folder: ("inbox", "restore", "2"), base=Base.INBOX),
    Scenario("undo of an accept", lambda folder: ("undo", verdict(folder, "added")), base=Base.INBOX),
    Scenario("duplicates find", lambda folder: ("duplicates", "find"), _new_files, may_refuse_again=False),
    Scenario(
        "duplicates apply",
        lambda folder: ("duplicates", "apply", "edited", "--yes"),
        in_parts=True,
        completes=False,
        base=Base.SHAPES,
    ),
    Scenario("duplicates decide", lambda folder: ("duplicates", "apply", "identical", "--yes")),
    Scenario("undo of a merge", lambda folder: ("undo", verdict(folder, "merged")), merged),
    Scenario("categories move", lambda folder: ("categories", "move", issue(folder)), base=Base.SHAPES),
    Scenario("categories right", lambda folder: ("categories", "right", issue(folder)), base=Base.SHAPES),
    Scenario("categories train", lambda folder: ("categories", "train"), may_refuse_again=False, base=Base.SHAPES),
    Scenario("undo of a move", lambda folder: ("undo", verdict(folder, "moved")), moved, base=Base.SHAPES),
    Scenario(
        "verdict", lambda folder: ("verdict", "distinct", "Cats/monday.png", "Robots/toaster.png"), is_appended=True
    ),
    Scenario("verdict import", lambda folder: ("verdict", "import", folder.given / "ledger.jsonl"), _exported),
    Scenario(
        "describe --write-sidecars",
        lambda folder: ("describe", "--model", "painter", "--write-sidecars"),
        in_parts=True,
        describes=True,
    ),
    Scenario("models --use", lambda folder: ("models", "--use", "small-clip"), _with_the_small_clip),
    Scenario("password", lambda folder: ("password", "--stdin"), stdin=f"{NEW_PASSWORD}\n"),
    Scenario("evaluate --fit", lambda folder: ("evaluate", folder.given / "judged.jsonl", "--fit"), _judged),
    Scenario("backup", lambda folder: ("backup", folder.given / "new.zip"), base=Base.INBOX),
    Scenario(
        "restore", lambda folder: ("restore", folder.given / "kept.zip", "--replace"), _backed_up, base=Base.INBOX
    ),
)


def painter() -> VisionServer:
    """Return an endpoint that describes every picture by its size, the same each time."""
    return VisionServer(lambda asked: Says(f"A picture of {asked.picture.width} by {asked.picture.height} dots."))
