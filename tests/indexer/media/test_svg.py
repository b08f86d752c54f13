"""SVG is drawn as it looks, and cannot run, reach out or grow without end."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from indexer.media.decode_file import decode_file
from indexer.media.svg import is_svg, render_svg, sanitize_svg, svg_size
from search.errors import UnreadableFile

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="20"'
RED, BLUE = (255, 0, 0), (0, 0, 255)


def svg(inside: str, attributes: str = "") -> bytes:
    return f"{HEAD} {attributes}>{inside}</svg>".encode()


def data_uri(picture: Image.Image) -> str:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableFile) as caught:
        render_svg(data, side=64)
    assert caught.value.hint
    with pytest.raises(UnreadableFile):
        sanitize_svg(data)
    return caught.value.message


def test_a_drawing_is_seen_over_white_at_a_useful_size(tmp_path: Path) -> None:
    (tmp_path / "x.svg").write_bytes(svg('<rect width="20" height="20" fill="red"/>'))
    seen = decode_file(tmp_path / "x.svg", max_pixels=10**8, max_bytes=10**9)
    assert (seen.type, seen.width, seen.height, seen.frames) == ("image", 40, 20, 1)
    (picture,) = seen.pictures
    assert picture.size == (1024, 512)
    assert picture.getpixel((256, 256)) == RED
    assert picture.getpixel((768, 256)) == (255, 255, 255)


def test_gradients_classes_and_repetitions_are_drawn() -> None:
    inside = """<style>.a { fill: url(#g) } #b { fill: blue }</style>
        <defs><linearGradient id="g"><stop stop-color="red"/><stop offset="1" stop-color="red"/></linearGradient>
        <rect id="b" width="10" height="20"/></defs><rect class="a" width="20" height="20"/>
        <use xlink:href="#b" x="30"/>"""
    drawn = render_svg(svg(inside), side=40).convert("RGB")
    assert (drawn.getpixel((10, 10)), drawn.getpixel((35, 10))) == (RED, BLUE)


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="40" height="20"', (40, 20)),
        ('viewBox="0 0 300 100"', (300, 100)),
        ('viewBox="0,0,300,100" width="600"', (600, 200)),
        ('viewBox="0 0 300 100" height="50px"', (150, 50)),
        ('width="100%" height="100%" viewBox="0 0 30 10"', (30, 10)),
        ('width="1in" height="72pt"', (96, 96)),
        ("", (300, 150)),
        ('width="-5" height="nan"', (300, 150)),
        ('width="1e99" viewBox="0 0 7 7"', (7, 7)),
    ],
)
def test_the_size_is_what_a_browser_would_show(attributes: str, size: tuple[int, int]) -> None:
    assert svg_size(f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}/>'.encode()) == size


def test_a_drawing_far_wider_than_high_is_drawn_in_bounds() -> None:
    drawn = render_svg(b'<svg xmlns="http://www.w3.org/2000/svg" width="900000000" height="1"/>', side=64)
    assert drawn.size == (64, 1)


@pytest.mark.parametrize(
    "start",
    [
        b"<svg>",
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='http://www.w3.org/2000/svg'/>",
        b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd"><svg/>',
        b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>",
        "<svg xmlns='http://www.w3.org/2000/svg'/>".encode("utf-16"),
        b"<svg:svg xmlns:svg='http://www.w3.org/2000/svg'/>",
    ],
)
def test_an_svg_is_known_by_its_beginning(start: bytes) -> None:
    assert is_svg(start)


@pytest.mark.parametrize("start", [b"<html><svg/></html>", b"svg", b"<svgs>", b"\x89PNG", b"text about <svg>"])
def test_other_beginnings_are_no_svg(start: bytes) -> None:
    assert not is_svg(start)


DANGEROUS = {
    "script": "<script>alert(1)</script>",
    "script by another prefix": '<s:script xmlns:s="http://www.w3.org/2000/svg">alert(1)</s:script>',
    "handler": '<rect width="1" height="1" onload="alert(1)" OnClick="alert(1)"/>',
    "foreign content": '<foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="x:alert"/></foreignObject>',
    "link": '<a href="javascript:alert(1)"><rect width="1" height="1"/></a>',
    "animated link": '<set attributeName="href" to="javascript:alert(1)"/><animate values="javascript:alert(1)"/>',
    "picture elsewhere": '<image href="http://evil.example/alert.png" width="9" height="9"/>',
    "old picture elsewhere": '<image xlink:href="//evil.example/alert.png" width="9" height="9"/>',
    "file": '<image href="file:///etc/alert" width="9" height="9"/>',
    "svg in a picture": '<image href="data:image/svg+xml;base64,PHN2Zy8+alert" width="9" height="9"/>',
    "use elsewhere": '<use href="http://evil.example/alert.svg#a"/>',
    "fill elsewhere": '<rect fill="url(http://evil.example/alert#a)" width="1" height="1"/>',
    "style attribute": '<rect style="fill:url( \'http://evil.example/alert\' )" width="1" height="1"/>',
    "style escapes": r'<rect style="fill:\75rl(http://evil.example/alert)" width="1" height="1"/>',
    "style sheet": "<style>@import 'http://evil.example/alert';</style>",
    "font": "<style>@font-face { src: url(http://evil.example/alert) }</style>",
    "image set": "<style>rect { mask: image-set('http://evil.example/alert' 1x) }</style>",
    "base": '<g xml:base="http://evil.example/alert/"><use href="#x"/></g>',
    "metadata": '<metadata>alert</metadata><rect xmlns:i="urn:x" i:label="alert" width="1" height="1"/>',
    "processing": "<?xml-stylesheet href='http://evil.example/alert'?>",
    "comment": "<!-- alert -->",
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_nothing_that_runs_or_reaches_out_is_left(name: str) -> None:
    data = svg(f'{DANGEROUS[name]}<rect x="20" width="20" height="20" fill="blue"/>')
    safe = sanitize_svg(data)
    assert b"alert" not in safe
    assert b"evil" not in safe
    assert render_svg(safe, side=40).getpixel((30, 10)) == (*BLUE, 255)
    assert render_svg(data, side=40).getpixel((30, 10)) == (*BLUE, 255)


def test_an_entity_that_is_a_plain_text_is_replaced() -> None:
    head = """<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd" [
        <!ENTITY ns_svg "http://www.w3.org/2000/svg"> <!-- by an editor -->
        <!ENTITY blue 'blue'> <!ATTLIST svg xmlns:a3 CDATA #IMPLIED a3:note CDATA #IMPLIED>]>"""
    data = f'{head}<svg xmlns="&ns_svg;" width="9" height="9"><rect width="9" height="9" fill="&blue;"/></svg>'
    assert render_svg(data.encode(), side=9).getpixel((4, 4)) == (*BLUE, 255)
    assert b"ENTITY" not in sanitize_svg(data.encode())


@pytest.mark.parametrize(
    "subset",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a "b"> %a;',
        '<!ENTITY a "<rect/>">',
        f'<!ENTITY a "{1001 * "x"}">',
        f'<!ENTITY a "{1000 * "x"}"> <!-- {200 * "&a;"} -->',
    ],
)
def test_entities_that_could_grow_or_read_are_refused(subset: str) -> None:
    uses = 101 * "&a;"
    data = f'<!DOCTYPE svg [{subset}]><svg xmlns="http://www.w3.org/2000/svg"><desc>{uses}</desc></svg>'
    with pytest.raises(UnreadableFile, match="entities"):
        render_svg(data.encode(), side=9)


def test_what_is_harmless_is_left_as_it_was() -> None:
    picture = data_uri(Image.new("RGB", (4, 4), RED))
    inside = f"""<title>Ok &amp; fine</title><style>.b {{ fill: blue }}</style>
        <rect class="b" width="40" height="20"/><image href="{picture}" width="10" height="20"/>
        <text x="1" y="2" xml:space="preserve">a <tspan>b</tspan> c</text>"""
    data = svg(inside)
    safe = sanitize_svg(data)
    for kept in (b"Ok &amp; fine", b"a <tspan>b</tspan> c", b'xml:space="preserve"', picture.encode()):
        assert kept in safe
    assert sanitize_svg(safe) == safe
    drawn = render_svg(data, side=400)
    assert drawn.tobytes() == render_svg(safe, side=400).tobytes()
    assert (drawn.getpixel((60, 100)), drawn.getpixel((300, 190))) == ((*RED, 255), (*BLUE, 255))


def test_a_small_file_is_not_read_from_beside_the_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (4, 4), RED).save(tmp_path / "beside.png")
    monkeypatch.chdir(tmp_path)
    for link in ("beside.png", str(tmp_path / "beside.png"), (tmp_path / "beside.png").as_uri()):
        drawn = render_svg(svg(f'<image href="{link}" width="40" height="20"/>'), side=40)
        assert drawn.getpixel((20, 10)) == (0, 0, 0, 0)


def test_a_bomb_within_a_picture_within_a_drawing_is_left_out() -> None:
    large = data_uri(Image.new("1", (6000, 6000)))
    assert b"data:" not in sanitize_svg(svg(f'<image href="{large}" width="40" height="20"/>'))


def test_entities_are_refused() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE svg [<!ENTITY l0 "ha">{laughs}]>{HEAD}><text>&l9;</text></svg>'
    outside = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>{HEAD}><text>&x;</text></svg>'
    assert "entities" in refusal(bomb.encode())
    assert "entities" in refusal(outside.encode())


def multiplied(level: str) -> str:
    """Return definitions of eight levels, each of which uses the one before ten times."""
    groups = ['<rect id="n0" width="1" height="1"/>']
    groups += [f'<g id="n{n}">' + level.replace("@", f"n{n - 1}") * 10 + "</g>" for n in range(1, 9)]
    return "".join(groups)


@pytest.mark.parametrize(
    "inside",
    [
        multiplied('<use href="#@"/>'),
        '<defs><path id="n0" d="M0 0"/>'
        + "".join(
            f'<pattern id="n{n}" width="1" height="1">'
            + f'<path d="M0 0h9v9" fill="url(#n{n - 1})"/>' * 10
            + "</pattern>"
            for n in range(1, 9)
        )
        + '</defs><rect width="9" height="9" fill="url(#n8)"/>',
        "<style>"
        + "".join(f".c{n} {{ fill: url(#n{n - 1}) }}" for n in range(1, 9))
        + "</style><g id='n0'/>"
        + "".join(f'<pattern id="n{n}">' + f'<rect class="c{n}"/>' * 10 + "</pattern>" for n in range(1, 9)),
        f'<path id="p" d="{"M0 0h9" * 20_000}"/>' + '<use href="#p"/>' * 500,
        "<g/>" * 200_001,
    ],
    ids=["uses", "patterns", "classes", "long paths", "many"],
)
def test_a_drawing_that_multiplies_itself_is_refused_before_it_is_drawn(inside: str) -> None:
    assert "counting repetitions" in refusal(svg(inside))


def test_a_drawing_made_of_itself_is_refused() -> None:
    assert "circular" in refusal(svg('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'))


def test_nesting_without_end_is_refused() -> None:
    assert "nested" in refusal(svg("<g>" * 100_000 + "</g>" * 100_000))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (svg("<rect>"), "The SVG is broken or cut short"),
        (b"<svg", "The SVG is broken or cut short"),
        (b"<?xml version='1.0' encoding='none-such'?><svg/>", "The SVG is broken or cut short"),
        (b"<svgs/>", "It is XML, but not SVG: its root is <svgs>."),
        (b"<svg>" + b" " * 20_000_001 + b"</svg>", "The SVG has 20,000,012 bytes"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_why(data: bytes, sentence: str) -> None:
    assert refusal(data).startswith(sentence)


def test_an_svg_that_forgets_its_namespace_is_drawn() -> None:
    data = b'<svg width="40" height="20"><rect width="40" height="20" fill="red"/></svg>'
    assert render_svg(data, side=40).getpixel((5, 5)) == (*RED, 255)
