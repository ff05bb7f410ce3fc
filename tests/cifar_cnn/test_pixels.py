"""Any image file becomes 32x32 pixels; anything else is refused with a reason."""

from __future__ import annotations

import contextlib
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from cifar_cnn.pixels import FORMATS, ImageTooLarge, NotAnImage, decode_image

ROOT = Path(__file__).parents[2]


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int] = (32, 32)) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def test_an_image_of_the_right_size_is_left_alone() -> None:
    image = noise()
    np.testing.assert_array_equal(decode_image(file_of(image)), np.asarray(image))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (32, 32), (7, 300), (640, 480)])
def test_any_common_format_and_size_is_taken(kind: str, size: tuple[int, int]) -> None:
    pixels = decode_image(file_of(noise(size), kind))
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_any_mode_becomes_rgb(mode: str) -> None:
    grey = Image.fromarray(np.full((40, 40), 51, np.uint8))
    if mode == "I;16":
        image = Image.fromarray(np.full((40, 40), 51 * 256, np.uint16))
    elif mode == "LA":
        image = Image.merge("LA", (grey, grey.point(lambda _: 255)))
    else:
        image = grey.convert("RGB").convert(mode)
    pixels = decode_image(file_of(image, "TIFF" if mode == "CMYK" else "PNG"))
    if mode != "1":
        np.testing.assert_allclose(pixels, 51, atol=3)


def test_the_middle_of_a_wide_image_is_kept_and_not_squeezed() -> None:
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 255
    assert decode_image(file_of(Image.fromarray(wide))).min() == 255


def test_a_photograph_is_turned_as_its_exif_says() -> None:
    image = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    image.paste((255, 255, 255), (0, 0, 32, 16))  # white above
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = decode_image(file_of(image, "PNG", exif=exif))
    assert pixels[:16].max() == 0
    assert pixels[16:].min() == 255


def test_transparency_lies_over_white() -> None:
    assert decode_image(file_of(Image.new("RGBA", (32, 32), (0, 0, 0, 0)))).min() == 255


def test_transparency_is_put_over_white_after_scaling_as_before_it() -> None:
    disc = Image.new("L", (200, 200))
    ImageDraw.Draw(disc).ellipse((20, 20, 180, 180), fill=160)
    image = Image.new("RGBA", disc.size, (200, 30, 90, 0))
    image.putalpha(disc)
    flat = Image.alpha_composite(Image.new("RGBA", disc.size, "white"), image).convert("RGB")
    np.testing.assert_allclose(
        decode_image(file_of(image)).astype(int), decode_image(file_of(flat)).astype(int), atol=2
    )


def test_a_colour_that_stands_for_transparency_is_white() -> None:
    image = Image.new("RGB", (64, 64), "black")
    assert decode_image(file_of(image, transparency=(0, 0, 0))).min() == 255


MEASURE = """
import sys
from pathlib import Path
from cifar_cnn.pixels import decode_image
def peak():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) * 1024
data = Path(sys.argv[1]).read_bytes()
before = peak()
decode_image(data)
print((peak() - before) / int(sys.argv[2]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_a_large_transparent_image_takes_the_memory_that_is_said(tmp_path: Path) -> None:
    side = 4000
    file = tmp_path / "large.png"
    Image.new("RGBA", (side, side), (10, 20, 30, 128)).save(file)
    command = [sys.executable, "-c", MEASURE, str(file), str(side**2)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(ended.stdout) < 8.5, "bytes a pixel"


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("white", "black")]
    data = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(data).min() == 255


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"no image at all", "no image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "no image"),
        (b"\x89PNG\r\n\x1a\n", "damaged|no image"),
    ],
)
def test_what_is_no_image_is_refused_with_a_reason(data: bytes, why: str) -> None:
    with pytest.raises(NotAnImage, match=why):
        decode_image(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_image_is_refused(kind: str) -> None:
    data = file_of(noise((200, 200)), kind)
    with pytest.raises(NotAnImage, match=r"damaged|no image"):
        decode_image(data[: len(data) // 2])


def bomb(side: int) -> bytes:
    """A PNG of some bytes that claims `side` x `side` pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


@pytest.mark.parametrize("side", [8_000, 60_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused_before_it_goes_off(side: int) -> None:
    with pytest.raises(ImageTooLarge):
        decode_image(bomb(side))


@pytest.mark.filterwarnings("ignore::UserWarning")  # what Pillow says of tags that are damaged
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"]), st.data())
def test_damaged_bytes_are_an_image_or_refused_and_nothing_else(kind: str, data: st.DataObject) -> None:
    content = bytearray(file_of(noise((20, 20)), kind))
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NotAnImage, ImageTooLarge):
        assert decode_image(bytes(content)).shape == (32, 32, 3)
