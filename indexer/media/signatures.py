"""What a file is, by its first bytes: one table for the library, for uploads and for decoding. Nothing is decoded."""

from __future__ import annotations

import struct
from enum import StrEnum
from pathlib import PurePath

SIGNATURE_BYTES = 512  # that tell a file's type: three packets of MPEG-TS

# Headers of an MP4-like file that are no video: HEIF pictures, and raw ones of Canon.
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_CANON_RAW = b"crx "
_OLD_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # begins a file without a header
_BMP_HEADERS = {struct.pack("<I", size) for size in (12, 16, 40, 52, 56, 64, 108, 124)}

_MOST_ICONS = 256  # pictures in an icon


class FileType(StrEnum):
    """A type of file that is decoded, by its content type. SVG is text, and told by `indexer.media.svg`."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    GIF = "image/gif"
    WEBP = "image/webp"
    AVIF = "image/avif"
    BMP = "image/bmp"
    ICON = "image/x-icon"
    HEIF = "image/heic"
    JXL = "image/jxl"
    TIFF = "image/tiff"
    MP4 = "video/mp4"
    WEBM = "video/webm"
    MATROSKA = "video/x-matroska"
    AVI = "video/x-msvideo"
    ASF = "video/x-ms-wmv"
    FLV = "video/x-flv"
    MPEG = "video/mpeg"
    MPEG_TS = "video/mp2t"
    OGG = "video/ogg"


# The extensions that each kind of content may have; a file with any other gets the first. None: a drawing.
_SUFFIXES: dict[FileType | None, tuple[str, ...]] = {
    FileType.JPEG: (".jpg", ".jpeg", ".jfif"),
    FileType.PNG: (".png",),
    FileType.GIF: (".gif",),
    FileType.WEBP: (".webp",),
    FileType.AVIF: (".avif",),
    FileType.BMP: (".bmp",),
    FileType.ICON: (".ico", ".cur"),
    FileType.HEIF: (".heic", ".heif"),
    FileType.JXL: (".jxl",),
    FileType.TIFF: (".tif", ".tiff"),
    FileType.MP4: (".mp4", ".m4v", ".mov", ".3gp", ".3g2"),
    FileType.WEBM: (".webm",),
    FileType.MATROSKA: (".mkv",),
    FileType.AVI: (".avi",),
    FileType.ASF: (".wmv",),
    FileType.FLV: (".flv",),
    FileType.MPEG: (".mpg", ".mpeg"),
    FileType.MPEG_TS: (".mts", ".m2ts", ".ts"),
    FileType.OGG: (".ogv",),
    None: (".svg",),
}

# Where the first bytes are all that tells.
_STARTS = (
    (b"\xff\xd8\xff", FileType.JPEG),
    (b"\x89PNG\r\n\x1a\n", FileType.PNG),
    (b"GIF87a", FileType.GIF),
    (b"GIF89a", FileType.GIF),
    (b"\xff\x0a", FileType.JXL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", FileType.JXL),
    (b"II*\0", FileType.TIFF),
    (b"MM\0*", FileType.TIFF),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", FileType.ASF),
    (b"FLV\x01", FileType.FLV),
    (b"\0\0\x01\xba", FileType.MPEG),
    (b"\0\0\x01\xb3", FileType.MPEG),
)
# Of files that are neither.
_OTHER_STARTS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or a document"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"II*\0\x10\0\0\0CR", "a raw photograph of a camera"),
    (b"8BPS", "a Photoshop document"),
    (b"ID3", "sound"),
    (b"OggS", "sound"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file that it stands for"),
)
_OGG_VIDEO = (b"\x80theora", b"\x01video", b"OVP80")  # begins the first packet; an Ogg file without it is sound
# The length of a packet of MPEG-TS and where its first byte lies: cameras write four more bytes before each.
_TS_PACKETS = ((188, 0), (192, 4))


def file_type(head: bytes) -> FileType | None:
    """Return the type of a file with these first bytes, at least SIGNATURE_BYTES of them; None for any other file.

    >>> file_type(b"GIF89a ..."), file_type(b"The free encyclopedia"), file_type(b"")
    (<FileType.GIF: 'image/gif'>, None, None)
    """
    head = head[:SIGNATURE_BYTES]
    for start, kind in _STARTS:
        # Canon's raw pictures are TIFF files with a mark.
        if head.startswith(start):
            return None if kind is FileType.TIFF and head[8:10] == b"CR" else kind
    if head.startswith(b"RIFF"):
        return {b"WEBP": FileType.WEBP, b"AVI ": FileType.AVI}.get(head[8:12])
    if head.startswith(b"OggS"):
        return FileType.OGG if any(mark in head for mark in _OGG_VIDEO) else None
    if any(_is_ts(head, length, first) for length, first in _TS_PACKETS):
        return FileType.MPEG_TS
    # Two letters may begin a text, so the second header must have a valid size too.
    if head.startswith(b"BM") and head[14:18] in _BMP_HEADERS:
        return FileType.BMP
    if head.startswith((b"\0\0\1\0", b"\0\0\2\0")) and _is_icon(head):
        return FileType.ICON
    if head.startswith(b"\x1aE\xdf\xa3"):
        return FileType.WEBM if b"webm" in head[:64] else FileType.MATROSKA
    if found := brands(head):
        if {b"avif", b"avis"} & found:
            return FileType.AVIF
        if _CANON_RAW in found:
            return None
        return FileType.HEIF if _HEIF_BRANDS & found else FileType.MP4
    # Four letters may stand in a text, so what is before them, the length of a part, must be no letters.
    return FileType.MP4 if head[4:8] in _OLD_QUICKTIME and head[0] < 0x20 else None


def fitting_suffix(head: bytes, name: str) -> str:
    """Return the extension for a file of a supported type with these first bytes: that of `name` if it fits.

    >>> fitting_suffix(b"GIF89a ...", "cat.jpg"), fitting_suffix(b"BM" + bytes(12) + b"(" + bytes(3), "cat.BMP")
    ('.gif', '.bmp')
    """
    own = PurePath(name).suffix.lower()
    fitting = (".mov", ".mp4", ".m4v") if b"qt  " in brands(head) else _SUFFIXES[file_type(head)]
    return own if own in fitting else fitting[0]


def _is_ts(head: bytes, length: int, first: int) -> bool:
    return len(head) > first + 2 * length and all(head[at] == 0x47 for at in range(first, first + 3 * length, length))


def _is_icon(head: bytes) -> bool:
    """Return whether four bytes that any file may begin with begin an icon or a cursor: its first entry must fit."""
    count, size, start = int.from_bytes(head[4:6], "little"), head[14:18], int.from_bytes(head[18:22], "little")
    return 0 < count <= _MOST_ICONS and head[9:10] == b"\0" and any(size) and start >= 6 + 16 * count


def brands(head: bytes) -> set[bytes]:
    """Return the brands in the header of an MP4-like file (ISO/IEC 14496-12), an empty set for other files.

    >>> sorted(brands(b"\\0\\0\\0\\x14ftypavif\\0\\0\\0\\0mif1"))
    [b'avif', b'mif1']
    """
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}


NO_PICTURES = ("is text", "is a web page", "contains only zero bytes")  # of what `describe_head` says


def describe_head(head: bytes) -> str:
    """Return a description of a file that is neither picture nor video, by its first bytes, to end a sentence.

    >>> describe_head(b"%PDF-1.7"), describe_head(b"once upon a time, long ago"), describe_head(bytes(9))
    ('is a PDF document', 'is text', 'contains only zero bytes')
    """
    if _CANON_RAW in brands(head):
        return "is a raw photograph of a camera"
    for magic, words in _OTHER_STARTS:
        if head.startswith(magic):
            return f"is {words}"
    if not head.strip(b"\0"):
        return "contains only zero bytes"
    start = head[:512].decode("utf-8", "replace")
    if start.lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype html", "<html", "<head", "<body")):
        return "is a web page"
    if (
        all(character.isprintable() or character in "\t\r\n\f" for character in start[:-4])
        and "\ufffd" not in start[:-4]
    ):
        return "is text"
    return "has an unknown format"
