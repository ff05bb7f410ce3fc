"""What decoding an image would cost, by its file's structure: small files that take long are refused."""

import re

from PIL.ImageFile import ImageFile

_MAX_SCANS = 32
"""Passes of a progressive JPEG over the picture. Encoders write about ten; each costs as much time as a whole
image and takes some 50 bytes, so that a small file could keep a core busy for hours."""

_SLOW_DECODERS = ("ppm", "ppm_plain", "bmp_rle")
_MAX_SLOW_PIXELS = 1_000_000
"""Of what Pillow decodes in Python itself, some hundred times as slowly: PPM of other than 255 levels or as
text, run-length coded BMP."""

_JPEG_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # not a coded 255, nor a mere restart


def too_costly(image: ImageFile, data: bytes) -> str | None:
    """Why an image is not decoded, None if it is.

    Args:
        image: opened, not loaded.
        data: its file.
    """
    width, height = image.size
    if image.tile and image.tile[0][0] in _SLOW_DECODERS and width * height > _MAX_SLOW_PIXELS:
        return (
            f"{width} x {height} pixels are more than the {_MAX_SLOW_PIXELS:,} that are decoded of this kind "
            f"of {image.format}; save it as PNG"
        )
    if image.format == "JPEG" and image.info.get("progressive") and _scans(data) > _MAX_SCANS:
        return f"a JPEG of more than {_MAX_SCANS} passes over the picture is not decoded; save it again"
    return None


def _scans(data: bytes) -> int:
    """Passes of a JPEG over the picture, at most one more than are decoded."""
    scans, position = 0, 2
    while scans <= _MAX_SCANS and (marker := _JPEG_MARKER.search(data, position)) and marker[1] != b"\xd9":
        scans += marker[1] == b"\xda"
        # What belongs to a marker is skipped: a thumbnail in it has markers of its own.
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    return scans
