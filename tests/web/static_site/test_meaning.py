"""Search by meaning in the browser: its tokens are the Python tokenizer's, its runtime the one that was tried."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tokenizers import Tokenizer

from search.encoders.coverage import coverage_of
from search.encoders.minilm import MAX_TOKENS, TOKENIZER_FILE, MiniLM, packaged_model
from search.errors import ModelUnavailable
from search.workspace import Workspace
from web.static_site.encoder_files import VENDORED, encoder_files, vendored

ODD_TEXTS = (
    "",
    " ",
    "a dog in a burning room",
    "Déjà vu at the CAFÉ — señor, piñata!",
    "when the code works 😂🔥👨‍👩‍👧 first try",
    "猫が窓辺で雨を見ている。 黑猫",
    "привет, КОТ! ёлка",
    "القط يجلس",
    "고양이는 meme을 본다",
    "don't can't it's “quoted” (and) [so] on… 50% off @ $3.99 #1 a/b_c",
    "supercalifragilisticexpialidocious " * 9,
    "x" * 150,
    "tab\tand\nnewline\r\u00a0nbsp\u200bzero\u00adsoft \u0000 \ufffd",
    "ﬁligree Ⅷ ½ ² İstanbul ẞ Å",
    "[CLS] [SEP] [MASK] [UNK] ##ing",
    "word " * 600,
)


@pytest.mark.browser
def test_the_browsers_tokens_are_those_of_the_python_tokenizer(page: Page, tmp_path: Path) -> None:
    draw = random.Random(1)
    letters = "aeé ñ'ß-.,!?#猫кİ😂0\u0301 \u200d"
    texts = [*ODD_TEXTS, *("".join(draw.choices(letters, k=draw.randrange(40))) for _ in range(150))]
    shutil.copy(packaged_model() / TOKENIZER_FILE, tmp_path)
    (tmp_path / "tokenizers.js").write_bytes(vendored("tokenizers.js"))
    found = page.evaluate(
        """async ([texts, table]) => {
          const { Tokenizer } = await import("./tokenizers.js");
          const { tokensOf } = await import("./encoder_worker.js");
          const tokenizer = new Tokenizer(await (await fetch("tokenizer.json")).json(), {});
          return texts.map((text) => tokensOf(tokenizer, text, table));
        }""",
        [texts, {"prompt": "", "special": True, "most": MAX_TOKENS}],
    )
    tokenizer = Tokenizer.from_file(str(packaged_model() / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    expected = [MiniLM._truncated(one.ids) for one in tokenizer.encode_batch(texts)]
    assert {text: ids for text, ids in zip(texts, found, strict=True)} == dict(zip(texts, expected, strict=True))


@pytest.mark.browser
def test_the_browser_reads_the_letters_that_the_encoder_reads(page: Page) -> None:
    tokenizer = Tokenizer.from_file(str(packaged_model() / TOKENIZER_FILE))
    coverage = coverage_of(tokenizer)
    texts = [text for text in ODD_TEXTS if text.strip()]
    found = page.evaluate(
        """async ([texts, scripts]) => {
          const { readable } = await import("./meaning.js");
          return texts.map((text) => readable(text, scripts));
        }""",
        [texts, sorted(coverage.scripts)],
    )
    for text, one in zip(texts, found, strict=True):
        read = coverage.readable(text)
        assert one["text"].split() == read.split(), text
        if read:
            assert one["share"] == pytest.approx(coverage.share(text)), text


def test_vendored_files_are_those_that_were_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(vendored(name) for name in VENDORED)
    monkeypatch.setitem(VENDORED, "ort.js", "0" * 64)
    with pytest.raises(ModelUnavailable, match=r"damaged.*ort\.js"):
        vendored("ort.js")


def test_an_encoder_without_an_exported_model_is_left_out(workspace: Workspace) -> None:
    with pytest.raises(ModelUnavailable, match="hashing-words-1 has no exported model"):
        encoder_files(workspace, "hashing-words-1")
