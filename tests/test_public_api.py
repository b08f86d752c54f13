"""The exported members of each package: a name that comes or goes changes this file. And README's Python, run."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import threading

import pytest

from search.searcher import Searcher
from search.workspace import Workspace
from tests.support.examples import PACKAGES, exported_names, module_name
from tests.support.fakes import HashingTextEncoder
from tests.support.paths import ROOT

EXPORTS = {
    "demo": """
        Change DemoDuplicate DemoMeme DemoQuery DemoTruth EXAMPLE_QUERIES QueryKind draw_demo
    """,
    "indexer": """
        LibraryStatus Progress SILENT StageReport StageStatus describe_memes find_duplicates index_library
        library_status
    """,
    "indexer.curation": """
        BatchResult Decision IssueReport Proposal ProposalCache apply decide dismiss_issue find_open_issues
        index_moves merge move_memes propose record_verdict rename_meme resolve_by_moving trash_memes undo
    """,
    "indexer.describe": """
        Assignment DescribeOptions DescribeStats describe_meme describe_memes
    """,
    "indexer.export": """
        FileFormat TableName WrittenFile export_tables export_vectors table_rows
    """,
    "indexer.imports": """
        ImportedMeme ImportKind ImportPlan NotImported PlannedMeme carry_out plan_import read_export
    """,
    "indexer.inbox": """
        Examiner accept similar_memes discard examine examine_waiting inbox_path index_decided inspect_file preview_path
        receive restore_discarded suspected undo_decision
    """,
    "indexer.library": """
        MemeFile SidecarFile UnusableFile bytes_hash checked_category content_hash find_meme_file free_path library_root
        locked_library recover scan_again scan_library sidecar_path trash_path write_sidecar
    """,
    "indexer.ocr": """
        OcrEngine Reading load_ocr_engine
    """,
    "indexer.upkeep": """
        BackupReport Finding RestoreReport back_up check restore
    """,
    "indexer.work": """
        Busy Progress SILENT StageReport WorkLease Worker lock reclaim_stale work_lease
    """,
    "search": """
        Answer Catalogue Field Hit Likeness Meme MemeticaError Searcher Settings Sort Workspace __version__
    """,
    "search.catalogue": """
        Batch BatchItem BatchState ItemState
        Call CallRecord CallSums Catalogue FingerprintRecord Lease MemeRecord Operation OperationKind OperationState
        Outcome PENDING Pair PassageRow PictureRecord ReadingRecord SidecarRecord TextReview Upload UploadState
        Verdict VerdictKind checked_tag inspect_catalogue listed_tags open_catalogue
    """,
    "search.categories": """
        Issue IssueKind RankedCategory Suggester Suggestion audit fit project refit
    """,
    "search.duplicates": """
        Group Match Matcher Member compare find_groups
    """,
    "search.encoders": """
        ImageEncoder KNOWN_MODELS KnownModel TextEncoder Vectors chosen_image_encoder chosen_text_encoder
        classify_zero_shot
        display_name export_image_encoder export_text_encoder image_encoder_spec load_image_encoder load_text_encoder
        parse_model_spec
        unit_rows validate_vectors
    """,
    "search.evaluation": """
        Comparison Cutoff CutoffTuning JudgedHits JudgedQuery Metric ServedQuery Tuning compare_rankings
        description_queries evaluate fit_cutoff index_without keep_known_paths measure quote_queries
        read_judged_queries read_qrels save_weights serve_query tune
    """,
    "search.images": """
        hamming look mirrored_bits pdq pdq_mirrored
    """,
    "search.index": """
        BinaryIndex DenseIndex Index IndexStatus IndexStore LexicalIndex LocalIndex LocalStore Manifest MemeColumns
        build_generation extend_generation live_manifest near_pairs open_qdrant set_index_threads
    """,
    "search.query": """
        Correction Filters Part PartKind Query apply_filters correct_spelling format_parts make_query parse
        plain_query
    """,
    "search.ranking": """
        FusedRanking Highlighter QueryStats RelevanceModel Retriever Scores best_snippet count_facets explain fuse
        make_snippet query_stats relevance_cutoff relevance_features
    """,
    "search.texts": """
        Claims Contradiction SourceAgreement TextReliability claims_of disputed_spans find_contradictions
        split_passages text_weights
    """,
    "web": """
        create_app
    """,
}


def exporting_packages() -> list[str]:
    folders = {file.parent for package in PACKAGES for file in (ROOT / package).rglob("__init__.py")}
    return sorted(module_name(folder / "__init__.py") for folder in folders if exported_names(folder))


@pytest.mark.parametrize("package", EXPORTS)
def test_package_exports_exactly_these_names(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(EXPORTS[package].split())
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []


def test_every_package_with_exports_is_listed_here() -> None:
    assert exporting_packages() == sorted(EXPORTS)


def test_importing_search_loads_no_heavy_library() -> None:
    code = (
        "import sys, search; search.Meme, search.MemeticaError; "
        "heavy = {'faiss', 'tantivy', 'onnxruntime', 'openvino', 'cv2', 'sklearn', 'PIL', 'numpy'}; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & heavy))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["search", "indexer", "web"])
def test_package_is_marked_as_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_python_in_the_readme_searches_a_library(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(workspace.data.parent)
    workspace.data.rename(".memetica")
    monkeypatch.setattr("search.index.live.load_text_encoder", lambda settings, name: HashingTextEncoder())
    exec(compile(block, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert 1 <= len(lines) <= 5
    assert all(re.fullmatch(r"0\.\d\d  .+/.+  \(.+ \d+ %\)", line) for line in lines), lines
    assert len([line for line in block.splitlines() if line.strip()]) <= 5


def test_closed_searchers_leave_no_threads(workspace: Workspace) -> None:
    before = set(threading.enumerate())  # some of an earlier test may still end
    for _ in range(10):
        with Searcher.open(workspace.data, text_encoder=HashingTextEncoder()) as searcher:
            assert searcher.search("this is fine")[0].path == "Dogs/fine.png"
    assert set(threading.enumerate()) <= before
