"""The settings: name, default, help text and parser of each, in one table.

A value comes from the first of: the command's flag, the environment (`MEMETICA_` and the name in capitals), the data
folder's `settings.json`, the default.
"""

from __future__ import annotations

import ipaddress
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from search.errors import DataFolderError, WrongUse
from search.meme import Field, KeepBy
from search.signals import (
    DESCRIPTOR,
    IMAGE_IMAGE,
    IMAGE_TEXT,
    LEXICAL_ALL,
    PHRASE_OCR,
    Signal,
    semantic,
)
from search.system.atomic_write import write_atomically
from search.system.distribution import default_data_folder

Parser = Callable[[str], Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The weight of each signal in the ranking; other signals are not used.
WEIGHTS: Mapping[Signal, float] = MappingProxyType(
    {
        LEXICAL_ALL: 0.24,
        semantic(Field.NAME): 0.11,
        semantic(Field.OCR): 0.28,
        semantic(Field.DESCRIPTION): 0.11,
        semantic(Field.ANALYSIS): 0.15,
        PHRASE_OCR: 0.1,
        DESCRIPTOR: 0.6,
        IMAGE_TEXT: 0.15,
        IMAGE_IMAGE: 0.4,
    }
)
# Former signal names in the setting `weights`, for the error message.
_RENAMED = {
    "words.everything": "lexical.all",
    **{f"words.{field}": f"lexical.{field}" for field in ("name", "ocr", "description", "visual", "analysis")},
    **{f"meaning.{field}": f"semantic.{field}" for field in ("name", "ocr", "description", "visual", "analysis")},
    "quote.ocr": "phrase.ocr",
    "look": "image.descriptor",
    "picture": "image.text",
    "picture.like": "image.image",
}


def option(default: Any, *, help: str, parse: Parser | None = None) -> Any:
    """Return a dataclass field that is a setting.

    >>> option(8000, help="the port").metadata["help"]
    'the port'
    """
    return field(default_factory=lambda: default, metadata={"help": help, "parse": parse or type(default)})


def _boolean(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.strip().lower() not in words:
        raise ValueError("expected yes or no")
    return words[text.strip().lower()]


def parse_weights(text: str) -> Mapping[Signal, float]:
    """Return the weights in `name=weight,…` over the defaults; raise ValueError for an unknown name or a bad number.

    >>> parse_weights("image.text=0.5")[Signal.parse("image.text")]
    0.5
    """
    parts = dict(part.split("=", 1) for part in text.replace(" ", "").split(",") if part)
    renamed = [f"{name} is now {_RENAMED[name]}" for name in parts if name in _RENAMED]
    if renamed:
        raise ValueError("signals have new names: " + ", ".join(renamed))
    weights = {Signal.parse(name): float(weight) for name, weight in parts.items()}
    if any(not 0 <= weight < float("inf") for weight in weights.values()):
        raise ValueError("a weight must be a finite number, 0 or more")
    return MappingProxyType(dict(WEIGHTS) | weights)


def parse_odds(text: str) -> Mapping[str, float]:
    """Return the weights in `name=weight,…`, by the name of a feature; raise ValueError for a bad number.

    >>> parse_odds("all words=6.9, bias=-6.2")["all words"]
    6.9
    """
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    weights = {name.strip(): float(weight) for name, _, weight in parts}
    if not all(math.isfinite(weight) for weight in weights.values()):
        raise ValueError("a weight must be a finite number")
    return MappingProxyType(weights)


def _rate(text: str) -> str:
    """Return `auto`, `off` or a number a minute; raise ValueError for anything else."""
    word = text.strip().lower()
    if word not in ("auto", "off"):
        word = str(_positive(word))
    return word


def _address(text: str) -> str:
    """Return an address of a web server, or nothing; raise ValueError for another text."""
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("expected an address that begins with http:// or https://")
    return text


def _engine(text: str) -> str:
    """Return where an index lies; raise ValueError for another text."""
    if text != "local" and not re.fullmatch(r"qdrant:https?://[^\s/@]+(/[\w.-]+)?/?", text):
        raise ValueError("expected local, qdrant:http://HOST:6333 or qdrant:https://HOST:6333/NAME")
    return text


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks in `address network …`, separated by commas or spaces; raise ValueError for a bad one.

    >>> parse_networks("127.0.0.1, 10.0.0.0/8")
    (IPv4Network('127.0.0.1/32'), IPv4Network('10.0.0.0/8'))
    """
    return tuple(ipaddress.ip_network(one, strict=False) for one in text.replace(",", " ").split())


def parse_hosts(text: str) -> tuple[str, ...]:
    """Return the host names in `name name …` in lower case, separated by commas or spaces; raise ValueError.

    A dot in front stands for all subdomains; a name has no scheme and no port.

    >>> parse_hosts("memes.example.org, .example.net")
    ('memes.example.org', '.example.net')
    """
    names = tuple(one.lower().rstrip(".").strip("[]") for one in text.replace(",", " ").split())
    for name in names:
        if not re.fullmatch(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]+", name):
            raise ValueError(f"{name!r} is no host name; write it without scheme and port")
    return names


def _positive(text: str) -> int:
    """Return a whole number above zero; raise ValueError for another value."""
    number = int(text)
    if number < 1:
        raise ValueError("expected a whole number above zero")
    return number


def _precision(text: str) -> float:
    """Return a precision; raise ValueError for a value outside 0.5 to 0.99."""
    precision = float(text)
    if not 0.5 <= precision <= 0.99:
        raise ValueError("expected 0.5 to 0.99")
    return precision


def _keep_rule(text: str) -> tuple[KeepBy, ...]:
    """Return the criteria in `name name …`; raise ValueError for an unknown or repeated criterion."""
    rule = tuple(KeepBy(name) for name in text.replace(",", " ").split())
    if not rule or len(set(rule)) < len(rule):
        raise ValueError(f"expected some of {', '.join(KeepBy)}, each once")
    return rule


@dataclass(frozen=True)
class Settings:
    """All settings. Paths are absolute or relative to the working directory.

    >>> Settings(port=8080).port, Settings.help_of("port")
    (8080, 'port that `serve` binds')
    """

    library: Path = option(Path("memes"), help="the folder that holds the categories; the last indexed", parse=Path)
    data: Path = field(
        default_factory=default_data_folder,
        metadata={
            "help": "Memetica's own folder: catalogue, index, thumbnails, models; `status` names it",
            "parse": Path,
        },
    )
    text_encoder: str = option(
        "all-MiniLM-L6-v2",
        help="what reads texts: `all-MiniLM-L6-v2`, a sentence-transformers model of the hub, or its folder",
    )
    image_encoder: str = option(
        "auto",
        help="what sees pictures: `auto`, `default`, `built-in`, `none`, MODEL/WEIGHTS, MODEL@FILE, a folder",
    )
    ocr_engine: str = option("rapidocr", help="`rapidocr`, `tesseract` or `none`")
    endpoint: str = option(
        "http://127.0.0.1:11434/v1",
        help="where vision models describe memes: an address of the OpenAI protocol, or of Ollama's own (`…/api`)",
    )
    describe_model: str = option(
        "", help="the vision model at `endpoint` that describes memes when none is named, as on the site"
    )
    endpoint_key: str = option("", help="the endpoint's key; for several, `host=key host=key`")
    threads: int = option(os.cpu_count() or 1, help="threads for decoding and models")
    max_pixels: int = option(100_000_000, help="pictures with more pixels are refused")
    max_bytes: int = option(1_000_000_000, help="files with more bytes are refused")
    follow_links: bool = option(False, help="read and serve what links in the library lead to outside of it")
    thumbnail_side: int = option(480, help="longest side of a thumbnail, pixels")
    host: str = option("127.0.0.1", help="address that `serve` binds")
    port: int = option(8000, help="port that `serve` binds")
    trusted_hosts: tuple[str, ...] = option(
        (),
        help="names of a public site, `memes.example.org .example.net`; else only names that stand for this machine",
        parse=parse_hosts,
    )
    trusted_proxies: tuple[Network, ...] = option(
        (),
        help="addresses of the reverse proxies before `serve`, `127.0.0.1 10.0.0.0/8`, whose `X-Forwarded-…` counts",
        parse=parse_networks,
    )
    search_rate: str = option(
        "auto",
        help="searches a minute of one client: a number, `off`, or `auto`: 120, none from this machine",
        parse=_rate,
    )
    upload_rate: str = option(
        "auto",
        help="pictures a minute that one visitor sends: a number, `off`, or `auto`: 20, none from this machine",
        parse=_rate,
    )
    server_threads: int = option(8, help="requests that `serve` answers at once")
    max_connections: int = option(
        1000, help="connections to `serve` at once; beyond it, idle and slow ones are closed", parse=_positive
    )
    connections_per_address: int = option(
        100, help="connections to `serve` of one client address; trusted proxies are not limited", parse=_positive
    )
    weights: Mapping[Signal, float] = option(
        WEIGHTS,
        help="the weight of each signal in the ranking: `lexical.all=0.3,semantic.ocr=0.2,…`",
        parse=parse_weights,
    )
    certain_above: float = option(
        0.0, help="log-odds above which a hit matches a query of words; `evaluate --fit` finds what fits the library"
    )
    certain_odds: Mapping[str, float] = option(
        MappingProxyType({}),
        help="the weights of what these log-odds are computed from, and their `bias`, as `evaluate --fit` finds them",
        parse=parse_odds,
    )
    certain_for: str = option(
        "", help="the text encoder that these two were fitted with; with another one they do not count"
    )
    keep_rule: tuple[KeepBy, ...] = option(
        tuple(KeepBy),
        help=f"which duplicate is kept, by some of {', '.join(f'`{one}`' for one in KeepBy)} in this order",
        parse=_keep_rule,
    )
    upload_bytes: int = option(50_000_000, help="uploads with more bytes are refused")
    inbox_files: int = option(1000, help="uploads that may wait in the inbox at once; more are refused")
    inbox_bytes: int = option(5_000_000_000, help="bytes of all uploads that may wait in the inbox at once")
    suggest_precision: float = option(
        0.9, help="how often a category that is called sure must be right, 0.5 to 0.99", parse=_precision
    )
    index_engine: str = option(
        "local",
        help="where search asks: `local`, the data folder, or `qdrant:URL`, a Qdrant server",
        parse=_engine,
    )
    qdrant_key: str = option("", help="the API key of the Qdrant server")
    qdrant_certificate: Path | None = option(
        None, help="file of the authorities that check a Qdrant server's certificate; empty: the system's", parse=Path
    )
    qdrant_seconds: float = option(10.0, help="seconds in which the Qdrant server must answer a request")
    qdrant_shards: int = option(1, help="parts into which Qdrant cuts a new index", parse=_positive)
    qdrant_replicas: int = option(1, help="copies that Qdrant keeps of each part of a new index", parse=_positive)
    watch: bool = option(False, help="index the library while `serve` runs, a few seconds after it changes")
    webhook: str = option(
        "",
        help="address that is sent, as JSON, what `serve --watch` has indexed and which batches are done; empty: none",
        parse=_address,
    )
    closed: bool = option(
        False, help="show the site to the signed-in curator and to programs with an API key alone, not to visitors"
    )
    open_suggestions: bool = option(False, help="let visitors get category suggestions for a picture")
    examples: str = option("", help="queries to begin with, on the home page: `one | two | three`")
    site_name: str = option("Memetica", help="the name at the top of each page")

    @classmethod
    def help_of(cls, name: str) -> str:
        """Return the help text of a setting."""
        return str(next(setting.metadata["help"] for setting in fields(cls) if setting.name == name))

    def absolute(self) -> Settings:
        """Return the same settings with absolute folders."""
        return replace(self, library=self.library.expanduser().absolute(), data=self.data.expanduser().absolute())


def load_settings(given: Mapping[str, Any] | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings from `given`, the environment, the data folder and the defaults, in this order of precedence.

    Raises WrongUse for an unknown name or a bad value.

    >>> load_settings({"data": folder}, environ={"MEMETICA_PORT": "9000"}).port
    9000
    """
    environ = os.environ if environ is None else environ
    chosen = {name: value for name, value in (given or {}).items() if value is not None}
    unknown = set(chosen) - {setting.name for setting in fields(Settings)}
    if unknown:
        raise WrongUse(f"There is no setting {', '.join(sorted(unknown))}.")
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = f"MEMETICA_{setting.name.upper()}"
        if variable in environ:
            values[setting.name] = _parsed(setting.name, environ[variable], where=f"the environment's {variable}")
    values |= chosen
    data = Path(values.get("data", Settings().data)).expanduser()
    stored = _stored(data / "settings.json")
    return replace(Settings(), **(stored | values)).absolute()


def stored_setting(data: Path, name: str) -> Any:
    """Return a setting's value in the data folder's `settings.json`, or None; raise WrongUse for a bad value.

    >>> stored_setting(folder, "port") is None
    True
    """
    return _stored(data.expanduser() / "settings.json").get(name)


def save_setting(data: Path, name: str, value: str) -> Path:
    """Write a setting into the data folder's `settings.json`, keep the other settings, and return the file.

    The file is written completely or not at all. Raises DataFolderError when it cannot be written, WrongUse when it
    cannot be read or the value is bad.

    >>> save_setting(folder, "port", "9000").name, stored_setting(folder, "port")
    ('settings.json', 9000)
    """
    path = data / "settings.json"
    _parsed(name, value, where="the value to save")
    try:
        stored = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if not isinstance(stored, dict):
            raise WrongUse(f"{path} must be an object.", hint="Correct the file or remove it.")
        stored[name] = value
        body = json.dumps(stored, indent=1, ensure_ascii=False) + "\n"
    except ValueError as error:
        raise WrongUse(f"{path} cannot be read: {error}.", hint="Correct the file or remove it.") from error
    except OSError as error:
        raise DataFolderError(f"{path} cannot be read: {error.strerror or error}.") from error
    # A path that is not valid Unicode is written as JSON escapes.
    write_atomically(path, body.encode("utf-8", "backslashreplace"), private=True)
    return path


def _parsed(name: str, text: str, *, where: str) -> Any:
    parse = next(setting.metadata["parse"] for setting in fields(Settings) if setting.name == name)
    try:
        return (_boolean if parse is bool else parse)(text)
    except ValueError as error:
        raise WrongUse(f"{text!r} is not a value of {name} (in {where}): {error}.") from error


def _stored(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WrongUse(f"{path} cannot be read: {error}.", hint="Correct the file or remove it.") from error
    known = {setting.name for setting in fields(Settings)}
    if not isinstance(raw, dict) or set(raw) - known:
        raise WrongUse(f"{path} must be an object with these names: {', '.join(sorted(known))}.")
    return {name: _parsed(name, str(value), where=str(path)) for name, value in raw.items()}
