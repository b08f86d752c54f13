"""Export a CLIP model for `search.encoders.clip`: `python -m search.encoders.clip_export SPEC FOLDER THREADS`.

Imports torch, so it runs in a child process of its own. Weights, preprocessing, tokenizer, scale and bias come from
open_clip; the export fails unless the written files agree with it. open_clip is imported inside functions, because
torchvision's operators must be declared before.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from PIL import Image
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from search.encoders.clip import IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE, Clip, ClipManifest, encoder_name, weights_digest
from search.encoders.clip_files import check_known
from search.encoders.clip_models import CONFIG_FILE, ModelSource, local_weights, parse_model_spec
from search.encoders.clip_preprocess import ImagePreprocessing, TextPreprocessing
from search.encoders.minilm import packaged_model, sha256
from search.encoders.minilm_export import OPSET, PROBES, declare_torchvision_operators
from search.encoders.runtimes import LEAST_COSINE, ONNX_RUNTIME, installed_runtimes
from search.errors import MemeticaError, ModelUnavailable
from search.system.processes import end_with_parent

PACKAGED = "sentence-transformers/all-MiniLM-L6-v2"  # the text tower that is installed with Memetica
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
PIXEL_TOLERANCE = 2e-3  # between our preprocessed picture and open_clip's, in standard deviations


class Tower(torch.nn.Module):
    """One tower of a model, with rows of length 1."""

    def __init__(self, model: Any, encode: str) -> None:
        super().__init__()
        self.model = model
        self.encode = encode

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return [n, dimensions] for pictures [n, 3, height, width] or tokens [n, context]."""
        return torch.nn.functional.normalize(getattr(self.model, self.encode)(given), dim=-1)


def export(spec: str, folder: Path, *, threads: int = 0) -> ClipManifest:
    """Write both towers, the tokenizer and the manifest into a folder; return the manifest.

    Raises ModelUnavailable when the weights cannot be loaded or an exported tower disagrees with the original.
    """
    if threads:
        torch.set_num_threads(threads)
    torch.backends.mha.set_fastpath_enabled(False)  # it cannot be exported
    source = parse_model_spec(spec)
    model, tokenizer, preprocessing = load_original(source)
    model.eval()
    picture = _picture_preparing(preprocessing)
    text = _tokenizer(tokenizer, folder / TOKENIZER_FILE)
    pictures = list(probe_pictures())
    transform = torch_preprocessing(preprocessing)
    for one in pictures:
        if np.abs(transform(one).numpy() - picture(one)).max() > PIXEL_TOLERANCE:
            raise ModelUnavailable(f"The preprocessing of pictures for {spec} is not supported ({preprocessing}).")
    shown = torch.stack([transform(one) for one in pictures])
    tokens = tokenizer(list(PROBES)).long()
    if not np.array_equal(text(Tokenizer.from_file(str(folder / TOKENIZER_FILE)), PROBES), tokens.numpy()):
        raise ModelUnavailable(f"The tokenizer of {spec} is not supported.")
    with torch.no_grad():
        expected = {}
        for file, encode, given in ((IMAGE_FILE, "encode_image", shown), (TEXT_FILE, "encode_text", tokens)):
            tower = Tower(model, encode).eval()
            expected[file] = tower(given).numpy()
            _write(tower, given[:2], folder / file)
    bias = getattr(model, "logit_bias", None)
    weights = (_bytes(tensor) for _, tensor in sorted(model.state_dict().items()))
    manifest = ClipManifest(
        name=encoder_name(
            source.spec, weights_digest(chain(weights, [json.dumps(preprocessing, sort_keys=True).encode()]))
        ),
        spec=source.spec,
        dimensions=expected[IMAGE_FILE].shape[1],
        picture=picture,
        text=text,
        scale=float(model.logit_scale.detach().exp()),
        bias=float(bias.detach()) if bias is not None else None,
        agreement={},
        made_with=({"recipe": source.recipe} if source.recipe else {})
        | {"torch": torch.__version__, "open_clip": _version(), "onnx": onnx.__version__},
        files={
            name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)}
            for name in (IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE)
        },
        weights_from=local_weights(source),
    )
    agreement: dict[str, float] = {}
    for kind in installed_runtimes():
        clip = Clip(folder, manifest, runtime=kind, threads=threads)
        least = min(
            float((clip.encode_images(pictures) * expected[IMAGE_FILE]).sum(axis=1).min()),
            float((clip.encode_text(PROBES) * expected[TEXT_FILE]).sum(axis=1).min()),
        )
        agreement[kind.name] = round(least, 6)
    if not agreement[ONNX_RUNTIME] >= LEAST_COSINE:
        raise ModelUnavailable(f"The export of {spec} disagrees with the original (cosine {agreement[ONNX_RUNTIME]}).")
    manifest = replace(manifest, agreement=agreement)
    manifest.write(folder)
    return manifest


def load_original(source: ModelSource) -> tuple[Any, Any, Mapping[str, Any]]:
    """Return a model in single precision, its tokenizer and its preprocessing, as open_clip reads them.

    Raises ModelUnavailable when the weights cannot be loaded.
    """
    declare_torchvision_operators()
    import open_clip

    if source.folder is not None:
        config = json.loads((source.folder / CONFIG_FILE).read_text("utf-8"))
        if config["model_cfg"]["text_cfg"].get("hf_model_name") == PACKAGED:
            return _on_packaged_text(source.folder, config)
        place, weights = f"local-dir:{source.folder}", None
    else:
        check_known(source)
        place, weights = source.model, str(source.file) if source.file else source.tag
    try:
        model = open_clip.create_model(place, pretrained=weights, precision="fp32", require_pretrained=True)
        tokenizer = open_clip.get_tokenizer(place)
    except Exception as error:  # open_clip, the hub, safetensors and torch raise types of their own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"{source.spec} cannot be loaded: {reason}") from error
    return model, tokenizer, open_clip.get_model_preprocess_cfg(model)


def _on_packaged_text(folder: Path, config: Mapping[str, Any]) -> tuple[Any, Any, Mapping[str, Any]]:
    """Return a model whose text tower is the installed one; the folder has only the weights trained on top."""
    from open_clip.factory import load_state_dict, merge_preprocess_dict
    from open_clip.model import CustomTextCLIP
    from open_clip.tokenizer import HFTokenizer
    from open_clip.transform import PreprocessCfg

    packaged = str(packaged_model())
    own = dict(config["model_cfg"])
    own["text_cfg"] = dict(own["text_cfg"]) | {"hf_model_name": packaged, "hf_model_pretrained": True}
    own["text_cfg"].pop("hf_tokenizer_name", None)
    model = CustomTextCLIP(**own)
    state = load_state_dict(str(next(folder / name for name in WEIGHTS if (folder / name).is_file())))
    missing, unexpected = model.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    wrong = [name for name in missing if not name.startswith("text.transformer.")] + list(unexpected)
    if wrong:
        raise ModelUnavailable(f"The weights in {folder} do not fit their configuration: {', '.join(wrong[:3])}.")
    tokenizer = HFTokenizer(packaged, context_length=own["text_cfg"].get("context_length", 77))
    preprocessing = merge_preprocess_dict(asdict(PreprocessCfg()), config.get("preprocess_cfg", {}))
    return model, tokenizer, preprocessing


def _write(tower: Tower, example: torch.Tensor, file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of branches that do not depend on the input
        torch.onnx.export(
            tower,
            (example,),
            str(file),
            input_names=["input"],
            output_names=["embedding"],
            dynamic_axes={"input": {0: "n"}, "embedding": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )


def _picture_preparing(given: Mapping[str, Any]) -> ImagePreprocessing:
    size = given["size"]
    height, width = (size, size) if isinstance(size, int) else size
    return ImagePreprocessing(
        size=(height, width),
        mean=tuple(given["mean"]),
        std=tuple(given["std"]),
        interpolation=given["interpolation"],
        resize_mode=given["resize_mode"],
        fill=given["fill_color"],
    )


def torch_preprocessing(given: Mapping[str, Any]) -> Any:
    """Return open_clip's own preparation of a picture: a function from a picture to a tensor [3, height, width]."""
    from open_clip.transform import PreprocessCfg, image_transform_v2

    return image_transform_v2(PreprocessCfg(**given), is_train=False)


def _tokenizer(given: Any, file: Path) -> TextPreprocessing:
    """Write open_clip's tokenizer in the format of the tokenizers library; return the preprocessing of texts for it."""
    clean = given.clean_fn.__name__.removeprefix("_clean_")
    inner = getattr(given, "tokenizer", None)
    if inner is None:
        _byte_pairs(given).save(str(file))
        return TextPreprocessing(clean, given.context_length, pad=0)
    if given.tokenizer_mode or not getattr(inner, "is_fast", False):
        raise ModelUnavailable("This model's tokenizer cannot be run without torch.")
    found = Tokenizer.from_str(inner.backend_tokenizer.to_str())
    found.no_padding()
    found.enable_truncation(given.context_length)
    found.save(str(file))
    return TextPreprocessing(
        clean,
        given.context_length,
        pad=int(inner.pad_token_id),
        left=inner.padding_side == "left",
        blanked=int(inner.sep_token_id) if given.strip_sep_token else None,
    )


def _byte_pairs(given: Any) -> Tokenizer:
    """Return open_clip's own byte-pair tokenizer, for texts that are already cleaned."""
    merges = sorted(given.bpe_ranks, key=given.bpe_ranks.__getitem__)
    found = Tokenizer(models.BPE(vocab=given.encoder, merges=merges, end_of_word_suffix="</w>"))
    pattern = r"<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    found.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    found.normalizer = normalizers.Sequence([])
    start, end = "<start_of_text>", "<end_of_text>"
    found.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, given.encoder[start]), (end, given.encoder[end])]
    )
    found.enable_truncation(given.context_length)
    return found


def probe_pictures() -> Iterator[Image.Image]:
    """Yield pictures of each kind that is preprocessed differently: wide, tall, tiny, large, grey, transparent."""
    random = np.random.default_rng(0)
    for size, mode in (
        ((640, 480), "RGB"),
        ((333, 1000), "RGB"),
        ((1601, 207), "RGB"),
        ((20, 31), "RGB"),
        ((224, 224), "L"),
        ((500, 375), "RGBA"),
    ):
        coarse = random.integers(0, 256, (9, 13, 4), dtype=np.uint8)
        yield Image.fromarray(coarse, "RGBA").convert(mode).resize(size, Image.Resampling.BICUBIC)


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def _version() -> str:
    import open_clip

    return str(open_clip.__version__)


if __name__ == "__main__":
    end_with_parent()
    try:
        export(sys.argv[1], Path(sys.argv[2]), threads=int(sys.argv[3]))
    except MemeticaError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
