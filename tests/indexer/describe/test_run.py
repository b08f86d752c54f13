"""Memes described by models: what is missing, once, kept at once, and nothing else touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from indexer.describe.options import Assignment, DescribeOptions, DescribeStats
from indexer.describe.run import describe_memes
from indexer.library.scan import scan_library
from indexer.work.locks import lock
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, Outcome, open_catalogue
from search.errors import LibraryError, ModelUnavailable, WrongUse
from search.meme import Meme, Stage, TextKind
from search.settings import Settings
from search.workspace import Workspace
from tests.support.tiny import TINY
from tests.support.vision_server import Asked, Drops, Fails, Reply, Says, VisionServer
from tests.support.waiting import PATIENCE, until

SIMPLE = TextKind.SIMPLE
QUICK = {"first_pause": 0.01, "longest_pause": 0.05, "seconds": PATIENCE}


@pytest.fixture
def catalogue(tiny_settings: Settings) -> Iterator[Catalogue]:
    """The catalogue of the tiny library, scanned only."""
    with open_catalogue(tiny_settings) as opened:
        scan_library(tiny_settings.library, opened, progress=SILENT)
        yield opened


def describe(
    settings: Settings,
    catalogue: Catalogue,
    *endpoints: VisionServer,
    models: tuple[str, ...] = ("qwen3.5:4b",),
    kind: TextKind = SIMPLE,
    heard: Callable[[DescribeStats], None] = lambda tally: None,
    **terms: object,
) -> DescribeStats:
    assignments = [Assignment(model, kind, endpoint.url) for endpoint in endpoints for model in models]
    return describe_memes(
        Workspace(settings, catalogue),
        assignments=assignments,
        progress=SILENT,
        options=DescribeOptions(**(QUICK | terms)),  # type: ignore[arg-type]
        on_progress=heard,
    )


def about(asked: Asked) -> str:
    """Return a description that tells which meme was asked about: each of the tiny library has its own width."""
    return f"A picture {asked.picture.width} pixels wide shows a white disc."


def described(asked: Asked) -> Reply:
    return Says(about(asked))


def width_of(meme: Meme) -> int:
    return 120 + 10 * [tiny.path for tiny in TINY].index(meme.path)


def texts_by(catalogue: Catalogue, source: str, kind: TextKind = SIMPLE) -> dict[str, str]:
    return {
        meme.path: text.body
        for meme in catalogue.memes.everything()
        for text in catalogue.texts.of(meme)
        if (text.source, text.kind) == (source, kind)
    }


def outcomes(catalogue: Catalogue) -> Counter[Outcome]:
    return Counter(record.outcome for record in catalogue.calls.all())


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Return, by path, each file's content and modification time, and each folder's."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
    }


def test_each_meme_gets_the_description_of_its_own_picture(tiny_settings: Settings, catalogue: Catalogue) -> None:
    with VisionServer(described) as server:
        tally = describe(tiny_settings, catalogue, server, workers=4)
    texts = texts_by(catalogue, "qwen3.5_4b")
    assert texts == {
        meme.path: f"A picture {width_of(meme)} pixels wide shows a white disc."
        for meme in catalogue.memes.everything()
    }
    assert (tally.done, tally.failed, tally.to_go, tally.calls) == (len(TINY), 0, 0, len(TINY))
    assert server.most_at_once <= 4


def test_a_second_run_asks_nothing(tiny_settings: Settings, catalogue: Catalogue) -> None:
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server)
        assert describe(tiny_settings, catalogue, server).calls == 0
        assert len(server.asked) == len(TINY)
        describe(tiny_settings, catalogue, server, kind=TextKind.DETAILED, limit=1)
        describe(tiny_settings, catalogue, server, models=("other",), limit=1)
    assert len(server.asked) == len(TINY) + 2


def test_the_newest_come_first_and_no_more_than_the_limit(tiny_settings: Settings, catalogue: Catalogue) -> None:
    newest = [width_of(meme) for meme in catalogue.memes.freshest(100)]
    with VisionServer(described) as server:
        tally = describe(tiny_settings, catalogue, server, limit=3)
        assert [asked.picture.width for asked in server.asked] == newest[:3]
        assert (tally.done, tally.to_go) == (3, 0)
        describe(tiny_settings, catalogue, server, limit=2)
    assert [asked.picture.width for asked in server.asked] == newest[:5]


def test_the_library_is_unchanged_unless_the_curator_asks(tiny_settings: Settings, catalogue: Catalogue) -> None:
    before = state_of(tiny_settings.library)
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server)
    assert state_of(tiny_settings.library) == before


def test_sidecars_are_added_and_everything_else_stays_as_it_is(tiny_settings: Settings, catalogue: Catalogue) -> None:
    before = state_of(tiny_settings.library)
    with VisionServer(described) as server:
        tally = describe(tiny_settings, catalogue, server, write_sidecars=True)
    after = state_of(tiny_settings.library)
    added = {name for name in after.keys() - before.keys()}
    assert added == {f"{tiny.path}.qwen3.5_4b.simple-description.txt" for tiny in TINY}
    assert tally.written == len(TINY)
    files = {name: state for name, state in before.items() if state[0]}
    assert {name: after[name] for name in files} == files
    # A scan finds them, and each text is still there once.
    scan_library(tiny_settings.library, catalogue, progress=SILENT)
    for meme in catalogue.memes.everything():
        ours = [text for text in catalogue.texts.of(meme) if text.source == "qwen3.5_4b"]
        assert [(text.body, text.sidecar) for text in ours] == [
            (
                f"A picture {width_of(meme)} pixels wide shows a white disc.",
                f"{meme.path}.qwen3.5_4b.simple-description.txt",
            )
        ]


def test_texts_of_earlier_runs_are_written_without_asking_again(tiny_settings: Settings, catalogue: Catalogue) -> None:
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server)
        tally = describe(tiny_settings, catalogue, server, write_sidecars=True)
        assert len(server.asked) == len(TINY)
    assert (tally.done, tally.written) == (0, len(TINY))


def test_a_text_that_another_program_writes_meanwhile_is_not_asked_for_and_not_replaced(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    newest, second, *_ = catalogue.memes.freshest(2)
    theirs = tiny_settings.library / f"{second.path}.qwen3.5_4b.simple-description.txt"

    def script(asked: Asked) -> Reply:
        if asked.number == 0:
            theirs.write_text("Written by another.")
        return described(asked)

    with VisionServer(script) as server:
        tally = describe(tiny_settings, catalogue, server, write_sidecars=True)
    assert theirs.read_text() == "Written by another."
    assert width_of(second) not in [asked.picture.width for asked in server.asked]
    assert (tally.done, tally.elsewhere) == (len(TINY) - 1, 1)
    assert newest.path in texts_by(catalogue, "qwen3.5_4b")


def test_a_text_that_appears_during_the_call_stays_and_ours_is_kept_in_the_catalogue(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    [newest] = catalogue.memes.freshest(1)
    theirs = tiny_settings.library / f"{newest.path}.qwen3.5_4b.simple-description.txt"

    def script(asked: Asked) -> Reply:
        theirs.write_text("Written by another.")
        return described(asked)

    with VisionServer(script) as server:
        tally = describe(tiny_settings, catalogue, server, write_sidecars=True, limit=1)
    assert theirs.read_text() == "Written by another."
    assert (tally.done, tally.written) == (1, 0)
    assert texts_by(catalogue, "qwen3.5_4b").keys() == {newest.path}


def test_copies_of_a_file_are_asked_about_once_and_each_gets_its_sidecar(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    library = tiny_settings.library
    shutil.copy(library / "Dogs/fine.png", library / "Robots/fine too.png")
    scan_library(library, catalogue, progress=SILENT)
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server, write_sidecars=True)
        assert len(server.asked) == len(TINY)
    assert (library / "Dogs/fine.png.qwen3.5_4b.simple-description.txt").is_file()
    assert (library / "Robots/fine too.png.qwen3.5_4b.simple-description.txt").is_file()


def test_models_are_not_told_the_category_or_the_name_unless_the_curator_asks(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server)
        describe(tiny_settings, catalogue, server, models=("told",), with_category=True)
    told = [asked.prompt for asked in server.asked if asked.model == "told"]
    untold = [asked.prompt for asked in server.asked if asked.model != "told"]
    for tiny in TINY:
        category, name = tiny.path.split("/")[0], tiny.path.split("/")[-1]
        assert not any(f"“{category}”" in prompt or name in prompt for prompt in untold)
        assert any(f"“{category}”" in prompt for prompt in told)
    assert {record.call.prompt for record in catalogue.calls.all(model="told")} == {"1+category"}


def test_only_undescribed_leaves_out_what_another_model_has_described(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    without = {tiny.path for tiny in TINY if not tiny.description}
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server, models=("one", "two"), only_undescribed=True)
    assert {asked.model for asked in server.asked} == {"one"}
    assert texts_by(catalogue, "one").keys() == without


@pytest.mark.parametrize("trouble", [Fails(429, headers={"Retry-After": "0"}), Fails(500), Drops()], ids=str)
def test_errors_that_pass_are_tried_again_and_each_try_is_in_the_log(
    tiny_settings: Settings, catalogue: Catalogue, trouble: Reply
) -> None:
    with VisionServer(lambda asked: trouble if asked.number < 3 else described(asked)) as server:
        tally = describe(tiny_settings, catalogue, server, limit=1)
    assert (tally.done, tally.failed, tally.calls) == (1, 0, 4)
    assert outcomes(catalogue) == {Outcome.ERROR: 3, Outcome.DESCRIBED: 1}
    assert catalogue.failures.all() == []


def test_an_endpoint_that_asks_to_wait_is_given_the_time(tiny_settings: Settings, catalogue: Catalogue) -> None:
    times: list[float] = []

    def script(asked: Asked) -> Reply:
        times.append(time.monotonic())
        return Fails(429, headers={"Retry-After": "0.4"}) if asked.number == 0 else described(asked)

    with VisionServer(script) as server:
        describe(tiny_settings, catalogue, server, limit=1)
    assert times[1] - times[0] >= 0.4


def test_what_keeps_failing_by_chance_is_listed_and_tried_by_the_next_run(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    [newest] = catalogue.memes.freshest(1)
    with VisionServer(lambda asked: Fails(500, "out of memory")) as server:
        tally = describe(tiny_settings, catalogue, server, limit=1, tries=2)
        assert (tally.done, tally.failed, len(server.asked)) == (0, 1, 2)
        [failure] = catalogue.failures.all()
        assert (failure.stage, failure.subject, failure.source) == (
            Stage.DESCRIBE,
            newest.path,
            "qwen3.5_4b.simple-description",
        )
        assert "500: out of memory" in failure.reason
        server.script = described
        assert describe(tiny_settings, catalogue, server, limit=1).done == 1
    assert catalogue.failures.all() == []


@pytest.mark.parametrize(
    ("reply", "outcome", "said"),
    [
        (Fails(400, "image cannot be processed"), Outcome.ERROR, "400: image cannot be processed"),
        (Says("I'm sorry, but I can't assist with that."), Outcome.REFUSED, "refused"),
        (Says("", refusal="No."), Outcome.REFUSED, "refused: No."),
        (Says(" \n"), Outcome.EMPTY, "empty"),
        (Says("the cat sat " * 100, finish="length"), Outcome.LOOPING, "repeated itself"),
    ],
    ids=["400", "refusal", "refusal told", "empty", "loop"],
)
def test_a_meme_that_a_model_cannot_do_is_asked_about_once_and_left_to_other_models(
    tiny_settings: Settings, catalogue: Catalogue, reply: Reply, outcome: Outcome, said: str
) -> None:
    [newest] = catalogue.memes.freshest(1)

    def script(asked: Asked) -> Reply:
        return reply if (asked.model, asked.picture.width) == ("bad", width_of(newest)) else described(asked)

    with VisionServer(script) as server:
        tally = describe(tiny_settings, catalogue, server, models=("bad",))
        assert (tally.done, tally.failed) == (len(TINY) - 1, 1)
        assert outcomes(catalogue)[outcome] == 1
        [failure] = catalogue.failures.all()
        assert (failure.subject, failure.source) == (newest.path, "bad.simple-description")
        assert said in failure.reason
        assert describe(tiny_settings, catalogue, server, models=("bad",)).calls == 0
        assert describe(tiny_settings, catalogue, server, models=("good",)).done == len(TINY)
        # Told to try again, it does.
        catalogue.failures.forget(Stage.DESCRIBE)
        server.script = described
        assert describe(tiny_settings, catalogue, server, models=("bad",)).done == 1


def test_a_picture_that_cannot_be_read_is_recorded_and_the_rest_goes_on(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    (tiny_settings.library / "Dogs/fine.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with VisionServer(described) as server:
        tally = describe(tiny_settings, catalogue, server)
    assert (tally.done, tally.failed) == (len(TINY) - 1, 1)
    [failure] = catalogue.failures.all()
    assert failure.subject == "Dogs/fine.png"


def test_a_picture_that_changed_since_it_was_indexed_is_not_described_under_its_old_name(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    library = tiny_settings.library
    shutil.copy(library / "Cats/monday.png", library / "Dogs/fine.png")
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server)
    assert "Dogs/fine.png" not in texts_by(catalogue, "qwen3.5_4b")
    [failure] = catalogue.failures.all()
    assert "changed" in failure.reason


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_error_that_every_call_would_meet_ends_the_run(
    tiny_settings: Settings, catalogue: Catalogue, status: int
) -> None:
    with VisionServer(lambda asked: Fails(status, "no")) as server:
        with pytest.raises(ModelUnavailable, match=f"answered {status}: no"):
            describe(tiny_settings, catalogue, server)
        assert len(server.asked) == 1
        [failure] = catalogue.failures.all()
        assert failure.subject == f"qwen3.5:4b at {server.url}"
        # No meme is held against it.
        server.script = described
        assert describe(tiny_settings, catalogue, server).done == len(TINY)
    assert catalogue.failures.all() == []


def test_calls_that_fail_one_after_the_other_end_the_run(tiny_settings: Settings, catalogue: Catalogue) -> None:
    with VisionServer(lambda asked: Fails(400, "unknown template")) as server:
        with pytest.raises(ModelUnavailable, match="unknown template"):
            describe(tiny_settings, catalogue, server)
        assert len(server.asked) == 6


def test_a_second_endpoint_goes_on_where_one_is_given_up(tiny_settings: Settings, catalogue: Catalogue) -> None:
    with VisionServer(lambda asked: Fails(401, "no")) as closed, VisionServer(described) as open_one:
        tally = describe(tiny_settings, catalogue, closed, open_one)
    assert (tally.done, tally.failed) == (len(TINY), 0)
    assert len(tally.stopped) == 1


def test_several_endpoints_share_a_models_memes(tiny_settings: Settings, catalogue: Catalogue) -> None:
    slowly = lambda asked: Says(about(asked), seconds=0.05)  # noqa: E731
    with VisionServer(slowly) as one, VisionServer(slowly) as two:
        describe(tiny_settings, catalogue, one, two)
    widths = [asked.picture.width for asked in one.asked + two.asked]
    assert sorted(widths) == sorted(width_of(meme) for meme in catalogue.memes.everything())
    assert min(len(one.asked), len(two.asked)) >= 2


def test_time_tokens_and_cost_are_told_so_far_and_to_go(tiny_settings: Settings, catalogue: Catalogue) -> None:
    heard: list[DescribeStats] = []
    with VisionServer(described) as server:
        tally = describe(tiny_settings, catalogue, server, heard=heard.append, price_in=2.0, price_out=10.0)
    assert (tally.tokens_in, tally.tokens_out) == (1000 * len(TINY), 50 * len(TINY))
    assert tally.cost == pytest.approx(len(TINY) * (1000 * 2 + 50 * 10) / 1e6)
    third = next(one for one in heard if one.done == 3)
    assert third.cost_to_go == pytest.approx((len(TINY) - 3) * 0.0025)
    assert third.to_go == len(TINY) - 3
    assert third.seconds_to_go == pytest.approx(third.seconds / 3 * third.to_go)
    sums = catalogue.calls.sums("qwen3.5:4b", SIMPLE)
    assert (sums.calls, sums.described, sums.tokens_out) == (len(TINY), len(TINY), 50 * len(TINY))


def test_what_models_write_is_found_in_a_changed_index(tiny_settings: Settings, catalogue: Catalogue) -> None:
    before = catalogue.revision()
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server, limit=1)
    assert catalogue.revision() > before


def test_memes_are_described_while_another_process_indexes(tiny_settings: Settings, catalogue: Catalogue) -> None:
    with VisionServer(described) as server, lock(tiny_settings.data, "scanning"):
        assert describe(tiny_settings, catalogue, server).done == len(TINY)


def test_a_moving_meme_is_shown_as_its_frames_and_the_model_is_told_so(
    tiny_settings: Settings, catalogue: Catalogue
) -> None:
    frames = [Image.new("RGB", (60, 40), color) for color in ("red", "green", "blue")]
    frames[0].save(tiny_settings.library / "Cats/dance.gif", save_all=True, append_images=frames[1:], duration=200)
    scan_library(tiny_settings.library, catalogue, progress=SILENT)
    with VisionServer(described) as server:
        describe(tiny_settings, catalogue, server)
    [moving] = [asked for asked in server.asked if "frames" in asked.prompt]
    assert "3 frames" in moving.prompt
    assert moving.picture.width * moving.picture.height >= 3 * 60 * 40


RUN = textwrap.dedent(
    """
    import signal
    import sys
    from pathlib import Path
    from indexer.describe import run
    from indexer.describe.run import describe_memes
    from indexer.work.progress import SILENT
    from indexer.describe.options import Assignment, DescribeOptions
    from search.catalogue import open_catalogue
    from search.meme import TextKind
    from search.settings import Settings
    from search.workspace import Workspace

    library, data, url = sys.argv[1:]
    run.GRACE_SECONDS = 300.0  # calls that are told to stop do so at once, unless the machine is busy
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background hands down its deafness
    settings = Settings(library=Path(library), data=Path(data))
    with open_catalogue(settings) as catalogue:
        assignments = [Assignment("qwen3.5:4b", TextKind.SIMPLE, url)]
        describe_memes(
            Workspace(settings, catalogue),
            assignments=assignments,
            progress=SILENT,
            options=DescribeOptions(workers=2, write_sidecars=True),
        )
    """
)


def start(settings: Settings, server: VisionServer) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUN, str(settings.library), str(settings.data), server.url]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def test_a_killed_run_loses_the_calls_under_way_and_nothing_else(tiny_settings: Settings, catalogue: Catalogue) -> None:
    go_on = threading.Event()

    def script(asked: Asked) -> Reply:
        if asked.number >= 4:
            go_on.wait(PATIENCE)
        return described(asked)

    with VisionServer(script) as server:
        process = start(tiny_settings, server)
        # Four answers are kept and two calls are under way.
        until(lambda: len(server.asked) == 6 and outcomes(catalogue)[Outcome.DESCRIBED] == 4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        go_on.set()
        assert len(texts_by(catalogue, "qwen3.5_4b")) == 4
        assert outcomes(catalogue) == {Outcome.DESCRIBED: 4, Outcome.ASKED: 2}
        left = [path.name for path in tiny_settings.library.rglob(".memetica-*")]
        assert left == []
        # The next run, at once, does the rest: two calls are made again, four are not.
        tally = describe(tiny_settings, catalogue, server, write_sidecars=True)
        assert (tally.done, tally.elsewhere) == (len(TINY) - 4, 0)
        assert len(server.asked) == 6 + len(TINY) - 4
    assert len(texts_by(catalogue, "qwen3.5_4b")) == len(TINY)
    assert len(list(tiny_settings.library.rglob("*.qwen3.5_4b.simple-description.txt"))) == len(TINY)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_an_interrupted_run_ends_soon_and_gives_everything_back(tiny_settings: Settings, catalogue: Catalogue) -> None:
    # The third answer and the fourth take ten minutes each.
    slowly = lambda asked: Says(about(asked) + " and so on" * 2000, pause=0.2)  # noqa: E731
    with VisionServer(lambda asked: described(asked) if asked.number < 2 else slowly(asked)) as server:
        process = start(tiny_settings, server)
        until(lambda: len(server.asked) == 4 and outcomes(catalogue)[Outcome.DESCRIBED] == 2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        assert b"KeyboardInterrupt" in said
    assert catalogue.leases.held() == []
    assert outcomes(catalogue)[Outcome.ASKED] == 0


def test_two_processes_never_ask_about_the_same_meme(tiny_settings: Settings, catalogue: Catalogue) -> None:
    def together(asked: Asked) -> Says:
        # One process has two calls at once: the first answers wait until the other process calls as well.
        until(lambda: server.most_at_once > 2)
        return Says(about(asked), seconds=0.05)

    with VisionServer(together) as server:
        processes = [start(tiny_settings, server) for _ in range(2)]
        for process in processes:
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said.decode()
    assert sorted(asked.picture.width for asked in server.asked) == sorted(
        width_of(meme) for meme in catalogue.memes.everything()
    )
    assert server.most_at_once > 2, "they did not run at once"
    assert len(texts_by(catalogue, "qwen3.5_4b")) == len(TINY)


def test_terms_that_make_no_sense_are_refused(tiny_settings: Settings, catalogue: Catalogue) -> None:
    with VisionServer(described) as server:
        for wrong in ({"workers": 0}, {"limit": 0}, {"price_in": -1.0}, {"seconds": 0.0}, {"kind": TextKind.OCR}):
            with pytest.raises(WrongUse):
                describe(tiny_settings, catalogue, server, **wrong)  # type: ignore[arg-type]
        with pytest.raises(WrongUse):
            describe(tiny_settings, catalogue, server, models=())
        assert server.asked == []


def test_a_library_that_is_gone_is_said(tiny_settings: Settings, catalogue: Catalogue) -> None:
    shutil.rmtree(tiny_settings.library)
    with VisionServer(described) as server, pytest.raises(LibraryError):
        describe(tiny_settings, catalogue, server)
