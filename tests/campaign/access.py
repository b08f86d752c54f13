"""Every address, in many spellings and with every method, without the password: nothing of the curator's answers."""

from __future__ import annotations

import http.client
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from werkzeug.routing import Rule

from search.settings import Settings
from tests.campaign.library import Folder, mixed
from tests.campaign.report import Report
from tests.campaign.scenarios import Base, done, prepare_base
from tests.campaign.site import serving
from tests.support.fakes import HashingTextEncoder
from tests.support.serving import open_app
from tests.support.uploading import drawn
from web.access.keys import MOST_PER_MINUTE, Scope, add_key

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
SECRET = "only-the-curator-knows"  # in the name of an upload, the note of a verdict and a file in the trash
PLACE = "/zeppelin"  # stands for an address in the headers


def _spellings(path: str) -> Iterator[tuple[str, str]]:
    """Yield ways to write a path that some servers read as the same."""
    first, _, rest = path.lstrip("/").partition("/")
    inner = f"/{rest}" if rest else ""
    yield "as it is", path
    yield "slash at the end", f"{path}/"
    yield "two slashes", f"/{path}"
    yield "two slashes within", f"/{first}/{inner}"
    yield "dot", f"/.{path}"
    yield "dots", f"/about/..{path}"
    yield "dots encoded", f"/about/%2e%2e{path}"
    yield "slash encoded", f"/{first}{inner.replace('/', '%2f')}"
    yield "dots and slash encoded", f"/static/..%2f{first}{inner}"
    yield "backslash", f"/{first}{inner.replace('/', chr(92))}"
    yield "zero byte", f"{path}%00"
    yield "parameters of the path", f"/{first};x=1{inner}"
    yield "capitals", path.upper()
    yield "letter encoded", f"/%{ord(first[0]):02x}{first[1:]}{inner}" if first else "/%2f"
    yield "encoded twice", f"/{first[:1] and f'%25{ord(first[0]):02x}'}{first[1:]}{inner}"


HEADERS: tuple[dict[str, str], ...] = (
    {"X-Original-URL": PLACE},
    {"X-Rewrite-URL": PLACE},
    {"X-HTTP-Method-Override": "GET"},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "127.0.0.1", "X-Forwarded-Proto": "https"},
    {"X-Forwarded-Prefix": PLACE},
    {"Authorization": "Basic Y3VyYXRvcjpjdXJhdG9y"},
    {"Cookie": "session=e30.e30.e30; memetica=1"},
    {"X-CSRF-Token": "x", "Origin": "http://evil.example"},
)


def run_access(report: Report, *, cases: int | None = None, seed: int = 0) -> None:
    """Ask for everything as a visitor, or for `cases` of it, drawn by chance."""
    with tempfile.TemporaryDirectory(prefix="memetica-access-") as place:
        folder = Folder(Path(place, "work"))
        prepare_base(folder, Base.INBOX)
        secret = folder.given / f"{SECRET}.png"
        secret.write_bytes(drawn(9))
        done("upload", secret, folder=folder)
        done("verdict", "distinct", "Cats/monday.png", "Robots/toaster.png", "--note", SECRET, folder=folder)
        with serving(folder, report) as site:
            rules = _rules(folder)
            closed = {rule.rule for rule in rules if _is_closed(site.url, rule, folder)}
            probes = [
                (rule, method, path, headers, f"{method} {path} ({how})")
                for rule in rules
                for method, path, headers, how in _probes(_address(rule, folder))
            ]
            if cases is not None:
                probes = random.Random(seed).sample(probes, min(cases, len(probes)))
            before = folder.state()
            visitor = _Visitor(site.url)
            _, home = visitor.ask("GET", "/", {})
            statuses: Counter[int] = Counter()
            for rule, method, path, headers, case in probes:
                report.progress(case)
                status, body = visitor.ask(method, path, headers)
                statuses[status] += 1
                _judge(report, case, status, body, is_closed=rule.rule in closed and path != "/", method=method)
                if path == "/" and method == "GET" and body != home:
                    report.fault(case, "another page than the home page")
            tried = _try_keys(report, site.url, folder, rules, closed)
            changed = mixed(folder.state(), old=before, new=before)
            if changed:
                report.fault("after everything", f"a visitor has changed something: {changed[0]}")
    report.figures |= {
        "rules": f"{len(rules)}, {len(closed)} of them the curator's",
        "answers": ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items())),
        "requests with API keys": f"{tried:,}",
    }


def _try_keys(report: Report, url: str, folder: Folder, rules: list[Rule], closed: set[str]) -> int:
    """Ask for the curator's addresses with a key of each scope: it opens what its view says, and nothing else."""
    opened = _opened_by_keys(folder)
    visitor = _Visitor(url)
    tried = 0
    for scope in Scope:
        key = add_key(folder.data, f"campaign {scope}", [scope], per_minute=MOST_PER_MINUTE)
        for rule in (rule for rule in rules if rule.rule in closed):
            address = _address(rule, folder)
            for method in METHODS:
                case = f"{method} {address} (key that may {scope})"
                report.progress(case)
                status, body = visitor.ask(method, address, {"Authorization": f"Bearer {key}"})
                tried += 1
                is_opened = opened.get((rule.rule, method)) == scope
                _judge(report, case, status, body, is_closed=not is_opened, method=method)
                if is_opened and method != "OPTIONS" and status in (401, 403):
                    report.fault(case, f"{status}, though the key may do this")
    return tried


def _opened_by_keys(folder: Folder) -> dict[tuple[str, str], Scope]:
    """Return the scope that opens each address and method that a key opens."""
    with open_app(_settings(folder)) as app:
        return {
            (rule.rule, method): app.view_functions[rule.endpoint].key_scope
            for rule in app.url_map.iter_rules()
            if hasattr(app.view_functions[rule.endpoint], "key_scope")
            for method in rule.methods or ()
        }


def _probes(path: str) -> Iterator[tuple[str, str, dict[str, str], str]]:
    for how, spelling in _spellings(path):
        for method in METHODS:
            yield method, spelling, {}, how
    for headers in HEADERS:
        told = {name: path if value == PLACE else value for name, value in headers.items()}
        for asked in ("/", path):
            for method in ("GET", "POST"):
                yield method, asked, told, ", ".join(told)


class _Visitor:
    """Sends requests whose addresses nothing makes tidy."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._host, timeout=30)

    def ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return the status and the body of an answer; status 0 for none."""
        for attempt in range(2):
            try:
                self._connection.request(method, path, headers=headers)
                answer = self._connection.getresponse()
                body = answer.read()
                location = answer.headers.get("Location", "")
                return answer.status, body + location.encode()
            except (http.client.HTTPException, OSError):
                self._connection.close()  # a server may close a connection after an answer
                if attempt:
                    return 0, b""
        raise AssertionError


def _judge(report: Report, case: str, status: int, body: bytes, *, is_closed: bool, method: str) -> None:
    if status == 0:
        report.fault(case, "no answer")
    elif status >= 500:
        report.fault(case, f"{status}: {body[:200]!r}")
    elif SECRET.encode() in body or b"argon2" in body:
        report.fault(case, f"{status}, and the answer has something of the curator's")
    elif is_closed and status < 300 and method != "OPTIONS":
        report.fault(case, f"{status} without the password: {body[:100]!r}")
    elif b"evil.example" in body:
        report.fault(case, "the answer names the host of a header")


def _rules(folder: Folder) -> list[Rule]:
    """Return every rule of the site."""
    with open_app(_settings(folder)) as app:
        return sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods or ())))


def _settings(folder: Folder) -> Settings:
    return Settings(library=folder.library, data=folder.data, ocr_engine="none", text_encoder=HashingTextEncoder.name)


def _address(rule: Rule, folder: Folder) -> str:
    """Return an address of a rule at which there is something."""
    values = {
        "path": "Cats/monday.png",
        "filename": "site.css",
        "content_hash": folder.row("SELECT content_hash FROM memes WHERE path = 'Cats/monday.png'"),
        "uid": folder.row("SELECT uid FROM verdicts ORDER BY id DESC LIMIT 1"),
        "key": "0123456789abcdef",
        "tier": "identical",
        "token": "0123456789abcdef",
        "name": "0" * 32,
        "one": "1",
        "other": "2",
        "id": folder.row("SELECT max(id) FROM uploads") if "inbox" in rule.rule else "1",
    }
    if rule.rule.startswith("/api/verdicts"):
        values["id"] = values["uid"]
    address = rule.rule
    for argument in rule.arguments:
        start, end = address.index("<"), address.index(">") + 1
        name = address[start + 1 : end - 1].rpartition(":")[2]
        address = address[:start] + quote(values[name], safe="/") + address[end:]
        assert argument
    return address


def _is_closed(url: str, rule: Rule, folder: Folder) -> bool:
    """Whether a visitor is told to sign in at the plain address of a rule, by any of its methods."""
    visitor = _Visitor(url)
    for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
        status, body = visitor.ask(method, _address(rule, folder), {})
        if status == 401 or (status == 303 and b"/sign-in?" in body):
            return True
    return rule.rule.startswith("/curator")
