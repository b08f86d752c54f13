"""A small sentence-transformers model that is made here: words of two languages that mean the same share a vector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

# English and Russian words for what the tests' memes show.
PAIRS = {
    "cat": "кот",
    "dog": "собака",
    "robot": "робот",
    "rain": "дождь",
    "window": "окно",
    "fire": "огонь",
    "coffee": "кофе",
    "work": "работа",
    "night": "ночь",
    "fish": "рыба",
}
PROMPTS = {"query": "query: ", "passage": "passage: "}
HIDDEN, HEADS, WIDE, POSITIONS = 48, 4, 64, 64
_CARD = "---\nlicense: mit\nlanguage:\n- en\n- ru\n---\nMade by the tests.\n"


def make_text_model(
    folder: Path,
    *,
    pooling: str = "mean",
    dense: int = 0,
    normalize: bool = True,
    prompts: Mapping[str, str] = PROMPTS,
    max_tokens: int = 32,
    dimensions: int = HIDDEN,
    seed: int = 1,
) -> Path:
    """Write a BERT of one layer as a sentence-transformers folder and return the folder."""
    folder.mkdir(parents=True)
    words = [*["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", "query", "passage"], *PAIRS, *PAIRS.values()]
    for alphabet in ("abcdefghijklmno", "абвгдежзийклмно"):  # so that both scripts count as read
        words += ["##" + "".join(letters) for letters in product(alphabet, repeat=2)]
    random = np.random.default_rng(seed)

    def weights(*shape: int, scale: float = 0.02) -> np.ndarray:
        return random.normal(0, scale, shape).astype(np.float32)

    embeddings = weights(len(words), dimensions, scale=1.0)
    embeddings[: words.index("cat")] *= 0.05  # marks and prompts say little
    for one, other in PAIRS.items():
        embeddings[words.index(other)] = embeddings[words.index(one)] + weights(dimensions)
    ones, zeros = np.ones(dimensions, np.float32), np.zeros(dimensions, np.float32)
    layer = "encoder.layer.0."
    tensors = {
        "embeddings.word_embeddings.weight": embeddings,
        "embeddings.position_embeddings.weight": weights(POSITIONS, dimensions),
        "embeddings.token_type_embeddings.weight": weights(2, dimensions),
        "embeddings.LayerNorm.weight": ones,
        "embeddings.LayerNorm.bias": zeros,
        **{
            f"{layer}attention.{name}.weight": weights(dimensions, dimensions, scale=0.1)
            for name in ("self.query", "self.key", "self.value", "output.dense")
        },
        **{
            f"{layer}attention.{name}.bias": zeros.copy()
            for name in ("self.query", "self.key", "self.value", "output.dense", "output.LayerNorm")
        },
        f"{layer}attention.output.LayerNorm.weight": ones.copy(),
        f"{layer}intermediate.dense.weight": weights(WIDE, dimensions, scale=0.1),
        f"{layer}intermediate.dense.bias": np.zeros(WIDE, np.float32),
        f"{layer}output.dense.weight": weights(dimensions, WIDE, scale=0.1),
        f"{layer}output.dense.bias": zeros.copy(),
        f"{layer}output.LayerNorm.weight": ones.copy(),
        f"{layer}output.LayerNorm.bias": zeros.copy(),
        "pooler.dense.weight": weights(dimensions, dimensions),
        "pooler.dense.bias": zeros.copy(),
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _json(
        folder / "config.json",
        {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": dimensions,
            "num_hidden_layers": 1,
            "num_attention_heads": HEADS,
            "intermediate_size": WIDE,
            "max_position_embeddings": POSITIONS,
            "vocab_size": len(words),
            "pad_token_id": 0,
        },
    )
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    _json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    _json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    _json(folder / "config_sentence_transformers.json", {"prompts": dict(prompts), "default_prompt_name": None})
    (folder / "README.md").write_text(_CARD, "utf-8")
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modes = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "last": "pooling_mode_lasttoken"}
    chosen = {mode: name == pooling for name, mode in modes.items()}
    (folder / "1_Pooling").mkdir()
    _json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": dimensions, **chosen})
    if dense:
        modules.append(("2_Dense", "Dense"))
        (folder / "2_Dense").mkdir()
        shape = {"in_features": dimensions, "out_features": dense, "bias": True}
        _json(folder / "2_Dense" / "config.json", {**shape, "activation_function": "torch.nn.modules.activation.Tanh"})
        save_file(
            {"linear.weight": weights(dense, dimensions, scale=0.3), "linear.bias": weights(dense)},
            folder / "2_Dense" / "model.safetensors",
        )
    if normalize:
        modules.append(("3_Normalize", "Normalize"))
        (folder / "3_Normalize").mkdir()
    _json(
        folder / "modules.json",
        [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (path, kind) in enumerate(modules)
        ],
    )
    return folder


def _json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content), "utf-8")
