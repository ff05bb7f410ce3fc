"""Small files that would take long to decode are refused before they are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cifar_cnn.pixels import ImageTooLarge, NotAnImage, count_pixels, decode_image


def jpeg(size: int, progressive: bool = True, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (90, 120, 30)).save(buffer, "JPEG", progressive=progressive, **options)
    return buffer.getvalue()


def with_passes(file: bytes, count: int) -> bytes:
    """A progressive JPEG with its last pass over the picture repeated."""
    last = file[file.rfind(b"\xff\xda") : -2]
    return file[:-2] + last * count + file[-2:]


def test_a_jpeg_of_many_passes_is_refused() -> None:
    assert decode_image(with_passes(jpeg(64), 10)).shape == (32, 32, 3)
    with pytest.raises(ImageTooLarge, match="a JPEG of more than 32 passes"):
        decode_image(with_passes(jpeg(64), 40))


def test_what_lies_beside_the_picture_is_no_pass() -> None:
    exif = Image.Exif()
    exif[0x010E] = "\u00ff\u00da" * 100  # a description whose bytes look like passes
    assert decode_image(jpeg(64, exif=exif.tobytes() + b"\xff\xda" * 1000)).shape == (32, 32, 3)
    assert decode_image(jpeg(64) + b"\xff\xda" * 1000).shape == (32, 32, 3), "a film after a photograph"
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", progressive=True, quality=95)
    assert buffer.getvalue().count(b"\xff\x00") > 100, "coded bytes of 255 are no markers"
    assert decode_image(buffer.getvalue()).shape == (32, 32, 3)


@pytest.mark.parametrize("header", [b"P6 %d %d 254\n", b"P6 %d %d 65535\n", b"P3 %d %d 255\n"])
def test_what_pillow_decodes_slowly_is_taken_small_only(header: bytes) -> None:
    small = header % (20, 20) + (b"1 " * 1200 if header.startswith(b"P3") else bytes(2400))
    assert decode_image(small).shape == (32, 32, 3)
    with pytest.raises(
        ImageTooLarge, match=r"2000 x 2000 pixels are more than the 1,000,000 .* save it as PNG"
    ):
        decode_image(header % (2000, 2000) + bytes(100))


def test_a_plain_ppm_of_256_levels_may_be_large() -> None:
    assert decode_image(b"P6 2000 2000 255\n" + bytes(12_000_000)).shape == (32, 32, 3)


def test_pixels_are_counted_by_the_header() -> None:
    assert count_pixels(jpeg(64)) == 64 * 64
    assert count_pixels(jpeg(640)[:700]) == 640 * 640, "the rest is not looked at"
    with pytest.raises(NotAnImage, match="the file is empty"):
        count_pixels(b"")
    with pytest.raises(NotAnImage, match="no image"):
        count_pixels(b"text")
