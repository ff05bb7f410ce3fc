"""From the bytes of any image file to the pixels that a model sees, trusting nothing about them.

Training and serving both decode here: a model is served what it was trained on.
"""

import contextlib
import functools
import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT, TiffImageFile

from cifar_cnn.config import IMAGE_SIZE
from cifar_cnn.image_cost import too_costly

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
"""What is decoded. Pillow knows dozens more, some of them parsers that nobody has looked at for years."""

MAX_PIXELS = 50_000_000
"""Width times height of the largest photograph that is decoded. A file of some kilobytes can claim a thousand
times as much (a decompression bomb)."""


_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_UNSIGNED = {1, 4}  # TIFF's sample formats: unsigned, or undefined; the others are signed and float
_WHITE_IS_ZERO = 0  # TIFF's photometric interpretation


class NotAnImage(ValueError):
    """The bytes are no image that can be decoded; says why."""


class ImageTooLarge(ValueError):
    """The image has more pixels than are decoded."""


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decodes an image file, crops its middle to a square and scales that to what models are trained on.

    Turned as its EXIF says; of an animation the first frame; 16 bits scaled to 8; transparency over white.
    An image of 32x32 pixels comes out as it is. Pixels that are signed, floating-point or 32-bit numbers are
    refused: nothing says which of them is white.

    It takes up to 8 bytes of memory a pixel, 400 MB for the largest image; of 16-bit grey up to 10, and of
    WebP, whose library draws on canvases of its own, up to 16.

    Args:
        data: the file's bytes.

    Returns:
        uint8 (32, 32, 3), red, green, blue.

    Raises:
        NotAnImage: empty, no known format, truncated, damaged, or of numbers that are not brightnesses.
        ImageTooLarge: more than `MAX_PIXELS`; found out before they are decoded.
    """
    with _decoding(data):
        square = ImageOps.fit(_load(data), (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
        return np.asarray(_over_white(square), dtype=np.uint8)


def count_pixels(data: bytes) -> int:
    """Width times height of an image file, by its header; nothing is decoded.

    Raises:
        NotAnImage: empty, no known format, or of numbers that are not brightnesses.
        ImageTooLarge: more than `decode_image` takes.
    """
    with _decoding(data), _opened(data) as image:
        return image.width * image.height


@contextlib.contextmanager
def _decoding(data: bytes) -> Iterator[None]:
    """Whatever a decoder raises is one of two errors."""
    if not data:
        raise NotAnImage("the file is empty")
    try:
        yield
    except (ImageTooLarge, Image.DecompressionBombError) as error:
        raise ImageTooLarge(str(error)) from error
    except NotAnImage:
        raise
    except UnidentifiedImageError as error:
        raise NotAnImage(f"no image that can be read; use one of {', '.join(FORMATS)}") from error
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        raise NotAnImage(f"the image is damaged ({' '.join(str(error).split())[:100]})") from error


@functools.cache
def suffixes() -> frozenset[str]:
    """How names of images in these formats end, in lower case, such as `.jpg`."""
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)


def is_image(file: BinaryIO) -> bool:
    """Whether a file begins as an image of a known format does; it may be damaged all the same.

    Args:
        file: open for reading; of other files than images only the beginning is read.
    """
    try:
        with Image.open(file, formats=FORMATS):
            return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # whatever a parser trips over in a file that is none of its own
        file.seek(0)
        return file.read(len(max(_SIGNATURES, key=len))).startswith(_SIGNATURES)


def _load(data: bytes) -> Image.Image:
    """The image upright, in a mode that can be scaled. What it was made from is freed with this frame."""
    with _opened(data) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return _scalable(image)


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The image with its header read, having checked what decoding it would cost."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageTooLarge(
                f"{width} x {height} pixels are more than the {MAX_PIXELS:,} that are decoded"
            )
        if why := too_costly(image, data):
            raise ImageTooLarge(why)
        _check_samples(image)
        yield image


def _check_samples(image: Image.Image) -> None:
    signed = isinstance(image, TiffImageFile) and not set(image.tag_v2.get(SAMPLEFORMAT, ())) <= _UNSIGNED
    # Of the netpbm formats mode I is what holds 16 bits; of TIFF, 32.
    if signed or image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        raise NotAnImage(
            "its pixels are signed, floating-point or 32-bit numbers, of which none is white by definition; "
            "save it with 8 or 16 bits"
        )


def _scalable(image: Image.Image) -> Image.Image:
    """Values that can be averaged: neither palette indices, nor bits, nor a colour that stands for none."""
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.mode == "La":  # scaled by its transparency, as TIFF may have it
        return image.convert("LA")
    if image.mode in ("L", "LA", "RGB", "RGBA") and "transparency" not in image.info:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 12 or 16 bits scaled to 8: Pillow clips it, or leaves it nearly black."""
    bits, inverted = 16, False
    if isinstance(image, TiffImageFile):
        (bits,) = image.tag_v2[BITSPERSAMPLE]
        inverted = image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO
    if image.mode == "I;16B":
        image = image.convert("I")
    grey = image.point(lambda value: value / 2 ** (bits - 8)).convert("L")
    return ImageOps.invert(grey) if inverted else grey


def _over_white(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")
