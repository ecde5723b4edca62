"""Pictures from the wire: whose bytes say what they are, and whose addresses only a vendor may follow."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from signalbox.v1 import chat_pb2

from router_service.core.chat import Image
from router_service.core.settings import MIB
from router_service.edge.complaints import Complaints

MAX_IMAGE_MIB = 20
MAX_URI = 8_192
MEDIA_TYPE = re.compile(r"image/[a-z0-9][a-z0-9.+-]{0,63}")
_UNPRINTABLE = re.compile(r"[^!-~]")
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def image(pb: chat_pb2.Image, path: str, complaints: Complaints) -> Image:
    match pb.WhichOneof("source"):
        case "data":
            return Image(data=pb.data, media_type=_media_type(pb, path, complaints))
        case "uri":
            if (what := _unfit(pb.uri)) is not None:
                complaints.add(f"{path}.uri", what)
        case None:
            complaints.add(path, "must have data or a uri")
    return Image(uri=pb.uri, media_type=pb.media_type)


def _media_type(pb: chat_pb2.Image, path: str, complaints: Complaints) -> str:
    """What the bytes are, whatever they are said to be: vendors refuse a picture under a wrong name."""
    if not pb.data:
        complaints.add(f"{path}.data", "must not be empty")
    elif len(pb.data) > MAX_IMAGE_MIB * MIB:
        complaints.add(f"{path}.data", f"is {len(pb.data)} bytes; at most {MAX_IMAGE_MIB} MiB: send a smaller picture")
    if (found := _sniffed(pb.data)) is not None:
        return found
    if not MEDIA_TYPE.fullmatch(pb.media_type):
        what = "must be set beside data that is no PNG, JPEG, GIF or WebP, for example image/avif"
        complaints.add(f"{path}.media_type", what)
    return pb.media_type


def _sniffed(data: bytes) -> str | None:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for beginning, media_type in _BEGINNINGS if data.startswith(beginning)), None)


def _unfit(uri: str) -> str | None:
    """What is wrong with an address; None where nothing is."""
    if not uri.startswith("https://"):
        return "must begin with https://; send other pictures as data"
    if len(uri) > MAX_URI:
        return f"is {len(uri)} characters long; at most {MAX_URI}"
    try:
        parts = urlsplit(uri)
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole or _UNPRINTABLE.search(uri):
        return "must be a whole address without spaces, for example https://example.com/a.png"
    return "must not hold a name or a password" if parts.username is not None or parts.password is not None else None
