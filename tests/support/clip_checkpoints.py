"""Tiny models of random weights under the names of open_clip's known ones, as the files that a model hub would have.

Exporters run in processes of their own, so open_clip itself is copied, with small configurations, into a folder that
PYTHONPATH names.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, processors

SIGLIP2 = "ViT-B-32-SigLIP2-256/webli"
XLM = "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k"
SIDE = 160  # pixels; timm's `test_vit3` has positions for this size
LETTERS = "▁abcdefghijklmnopqrstuvwxyzабвгдежзиклмнопрстуфхцчшыьэюя猫犬0123456789'"
_WRITE = """
import sys
from search.encoders.minilm_export import declare_torchvision_operators
declare_torchvision_operators()
import open_clip
from safetensors.torch import save_file
name, file, text = sys.argv[1:]
given = open_clip.get_model_config(name)
if text:
    given["text_cfg"] |= {"hf_model_name": text, "hf_model_pretrained": False}
    given.pop("custom_text", None)
    model = open_clip.model.CustomTextCLIP(**given)
else:
    model = open_clip.create_model(name)
save_file({key: value.contiguous() for key, value in model.state_dict().items()}, file)
"""


def tiny_open_clip(folder: Path) -> Path:
    """Copy open_clip into a folder, its configurations made tiny; return the folder, for PYTHONPATH."""
    found = find_spec("open_clip")
    assert found is not None and found.submodule_search_locations
    place = copytree(found.submodule_search_locations[0], folder / "open_clip", ignore=ignore_patterns("__pycache__"))
    _change(place / "model_configs" / "ViT-B-32-SigLIP2-256.json", _small_siglip)
    _change(place / "model_configs" / "xlm-roberta-base-ViT-B-32.json", _small_xlm)
    return folder


def hub_files(spec: str, folder: Path, environ: dict[str, str]) -> dict[str, bytes]:
    """Return the files of a hub that has the tiny model of a specification: weights, tokenizer, configurations."""
    name = spec.partition("/")[0]
    of_text = folder / "text"
    of_text.mkdir()
    if spec == SIGLIP2:
        weights = tokenizer = "timm/ViT-B-32-SigLIP2-256"
        _write_tokenizer(of_text, ["<pad>", "<eos>", "<bos>", "<unk>"], "$A <eos>", "GemmaTokenizer")
    else:
        weights, tokenizer = "laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k", "xlm-roberta-base"
        _write_tokenizer(of_text, ["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>", "PreTrainedTokenizerFast")
        layers = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
        sizes = {"vocab_size": 300, "max_position_embeddings": 80, "type_vocab_size": 1, "pad_token_id": 1}
        (of_text / "config.json").write_text(json.dumps({"model_type": "xlm-roberta", **layers, **sizes}), "utf-8")
    text = str(of_text) if spec == XLM else ""
    command = [sys.executable, "-c", _WRITE, name, str(folder / "weights"), text]
    subprocess.run(command, env=environ, check=True, capture_output=True)
    files = {f"{tokenizer}/{file.name}": file.read_bytes() for file in of_text.iterdir()}
    return files | {f"{weights}/open_clip_model.safetensors": (folder / "weights").read_bytes()}


def _change(file: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    known = json.loads(file.read_text("utf-8"))
    edit(known)
    file.write_text(json.dumps(known), "utf-8")


def _small_siglip(known: dict[str, Any]) -> None:
    known["embed_dim"] = 96
    known["vision_cfg"] |= {"image_size": SIDE, "timm_model_name": "test_vit3"}
    known["text_cfg"] |= {"width": 32, "heads": 2, "layers": 1, "vocab_size": 300}


def _small_xlm(known: dict[str, Any]) -> None:
    known["embed_dim"] = 32
    known["vision_cfg"] |= {"image_size": 64, "layers": 1, "width": 64}


def _write_tokenizer(folder: Path, special: list[str], template: str, kind: str) -> None:
    pieces = [(one, 0.0) for one in special] + [(one, -3.0) for one in dict.fromkeys(LETTERS)] + [("▁cat", -2.0)]
    made = Tokenizer(models.Unigram(pieces, unk_id=special.index("<unk>")))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    used = [(one, special.index(one)) for one in special if one in template]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    made.save(str(folder / "tokenizer.json"))
    roles = {"pad_token": "<pad>", "unk_token": "<unk>"}
    if "<s>" in special:
        roles |= {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    else:
        roles |= {"bos_token": "<bos>", "eos_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind, **roles}), "utf-8")
