"""Pixels of every kind are as bright as they were, or are refused; images are known by their content."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from cifar_cnn.pixels import FORMATS, NotAnImage, decode_image, is_image

PIXELS = 32 * 32


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(mode: str, value: object) -> Image.Image:
    return Image.new(mode, (32, 32), value)  # type: ignore[arg-type]


def tiff(samples: bytes, *bits: int, kind: int = 1, photometric: int = 1, order: str = "<") -> bytes:
    """A TIFF of 32x32 pixels of a kind that Pillow reads and does not write.

    Args:
        samples: the pixels.
        bits: of each sample of a pixel; of two the second is transparency that the first is scaled by.
        kind: of the samples: 1 unsigned, 2 signed, 3 floating-point.
        photometric: 0: white is zero; 1: black is.
        order: of the bytes.
    """
    tags = {256: [32], 257: [32], 258: bits, 259: [1], 262: [photometric], 277: [len(bits)], 278: [32]}
    tags |= {279: [len(samples)], 339: [kind] * len(bits)} | ({338: [1]} if len(bits) == 2 else {})
    tags[273] = [8 + 2 + 12 * (len(tags) + 1) + 4]
    shorts = {tag: struct.pack(f"{order}{len(values)}H", *values) for tag, values in tags.items()}
    entries = [
        struct.pack(f"{order}HHI4s", tag, 3, len(value) // 2, value) for tag, value in sorted(shorts.items())
    ]
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return header + b"".join(entries) + bytes(4) + samples


def pgm(maxval: int, value: int) -> bytes:
    return b"P5 32 32 %d\n" % maxval + struct.pack(">H", value) * PIXELS


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tiff(struct.pack("<H", 0x6600) * PIXELS, 16), 102),
        (tiff(struct.pack(">H", 0x6600) * PIXELS, 16, order=">"), 102),
        (tiff(struct.pack("<H", 0xFFFF - 0x6600) * PIXELS, 16, photometric=0), 102),
        (tiff(bytes.fromhex("660660") * (PIXELS // 2), 12), 102),
        (tiff(bytes([153]) * PIXELS, 8, photometric=0), 102),
        (tiff(bytes([51, 128]) * PIXELS, 8, 8), 178),
        (file_of(Image.fromarray(np.full((32, 32), 0x6600, np.uint16))), 102),
        (pgm(65535, 0x6600), 102),
        (pgm(1000, 400), 102),
        (b"P2 1 1 65535 26112\n", 102),
        (file_of(plain("CMYK", (153, 153, 153, 0)), "TIFF"), 102),
        (file_of(plain("CMYK", (153, 153, 153, 0)), "JPEG"), 102),
        (file_of(plain("LAB", (109, 128, 128)), "TIFF"), 101),
        (file_of(plain("YCbCr", (102, 128, 128)), "TIFF"), 102),
        (file_of(plain("LA", (102, 128))), 178),
        (file_of(plain("RGBA", (102, 102, 102, 128)), "TIFF"), 178),
        (file_of(plain("PA", (0, 0)), "TIFF"), 255),
        (file_of(plain("P", 0), transparency=0), 255),
        (file_of(plain("P", 0), "GIF", transparency=0), 255),
        (file_of(plain("1", 1)), 255),
    ],
)
def test_pixels_of_every_kind_are_as_bright_as_they_were(data: bytes, expected: int) -> None:
    np.testing.assert_allclose(decode_image(data).astype(int), expected, atol=1)


@pytest.mark.parametrize(
    "data",
    [
        tiff(struct.pack("<I", 2**31) * PIXELS, 32),
        tiff(struct.pack("<i", 100) * PIXELS, 32, kind=2),
        tiff(struct.pack("<h", 100) * PIXELS, 16, kind=2),
        tiff(bytes([100]) * PIXELS, 8, kind=2),
        tiff(struct.pack("<f", 0.4) * PIXELS, 32, kind=3),
        b"Pf 32 32 -1.0\n" + struct.pack("<f", 0.4) * PIXELS,
    ],
    ids=["32 bits", "32 bits signed", "16 bits signed", "8 bits signed", "float TIFF", "PFM"],
)
def test_numbers_that_are_no_brightness_are_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(NotAnImage, match=r"^its pixels are signed, .*; save it with 8 or 16 bits$"):
        decode_image(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_image_is_known_by_its_content_whole_or_cut_off(kind: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    data = file_of(image, kind)
    assert is_image(io.BytesIO(data))
    if kind != "WEBP":  # of which a part is nothing that can be looked at
        assert is_image(io.BytesIO(data[: len(data) // 2]))


@pytest.mark.parametrize(
    "data", [b"", b"BMW and other cars", b"P1 and P2 are patients", b"RIFF....WAVE", b"%PDF-1.7", b"II*"]
)
def test_what_is_no_image_is_known_too(data: bytes) -> None:
    assert not is_image(io.BytesIO(data))
