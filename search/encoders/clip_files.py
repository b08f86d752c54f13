"""List the files that an open_clip model needs of the model hub: `python -m search.encoders.clip_files MODEL/WEIGHTS`.

Imports open_clip, and with it torch, so it runs in a child process. Writes JSON: a list of files, null when the weights
are not on the hub and open_clip downloads them itself.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from search.encoders.clip_models import ModelSource, parse_model_spec
from search.encoders.hub import HubFile
from search.encoders.minilm_export import declare_torchvision_operators
from search.errors import MemeticaError, WrongUse
from search.system.processes import end_with_parent

# What a tokenizer, and the configuration of a text tower, may consist of; of each kind a repository holds some.
TOKENIZER_FILES = (
    *("config.json", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json", "added_tokens.json"),
    *("sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.txt", "vocab.json", "merges.txt"),
)


def check_known(source: ModelSource) -> None:
    """Raise WrongUse for a model that open_clip does not know, or a tag without weights for it."""
    import open_clip

    if source.model not in open_clip.list_models():
        raise WrongUse(f"open_clip has no model {source.model!r}.")
    tags = open_clip.list_pretrained_tags_by_model(source.model)
    if source.tag and source.tag not in tags:
        raise WrongUse(f"{source.model} has no weights {source.tag!r}. Available: {', '.join(tags) or 'none'}.")


def files_of(spec: str) -> list[HubFile] | None:
    """Return the files of a model with a tag; None when its weights are not on the hub. Raises WrongUse."""
    declare_torchvision_operators()
    import open_clip
    from open_clip.constants import HF_WEIGHTS_NAME
    from open_clip.pretrained import _get_safe_alternatives  # its offline loader looks for these names, in this order

    source = parse_model_spec(spec)
    check_known(source)
    known = open_clip.get_pretrained_cfg(source.model, source.tag).get("hf_hub", "")
    if not known:
        return None
    repository, _, name = known.rpartition("/")
    name = name or HF_WEIGHTS_NAME
    found = [HubFile(repository, (*_get_safe_alternatives(name), name))]
    text = (open_clip.get_model_config(source.model) or {}).get("text_cfg", {})
    for other in dict.fromkeys(filter(None, (text.get("hf_tokenizer_name"), text.get("hf_model_name")))):
        found += [HubFile(other, (one,), required=False) for one in TOKENIZER_FILES]
    return found


if __name__ == "__main__":
    end_with_parent()
    try:
        files = files_of(sys.argv[1])
        print(json.dumps(files and [asdict(one) for one in files]))  # noqa: T201
    except MemeticaError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
