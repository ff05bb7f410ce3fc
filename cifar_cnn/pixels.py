"""From the bytes of any image file to the pixels that a model sees, trusting nothing about them.

Training and serving both decode here: a model is served what it was trained on.
"""

import contextlib
import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cifar_cnn.config import IMAGE_SIZE
from cifar_cnn.image_cost import too_costly

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
"""What is decoded. Pillow knows dozens more, some of them parsers that nobody has looked at for years."""

MAX_PIXELS = 50_000_000
"""Width times height of the largest photograph that is decoded. A file of some kilobytes can claim a thousand
times as much (a decompression bomb)."""


class NotAnImage(ValueError):
    """The bytes are no image that can be decoded; says why."""


class ImageTooLarge(ValueError):
    """The image has more pixels than are decoded."""


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decodes an image file, crops its middle to a square and scales that to what models are trained on.

    Turned as its EXIF says; of an animation the first frame; 16 bits scaled to 8; transparency over white.
    An image of 32x32 pixels comes out as it is.

    It takes up to 8 bytes of memory a pixel, 400 MB for the largest image; of WebP, whose library draws on
    canvases of its own, up to 16.

    Args:
        data: the file's bytes.

    Returns:
        uint8 (32, 32, 3), red, green, blue.

    Raises:
        NotAnImage: empty, no known format, truncated or damaged.
        ImageTooLarge: more than `MAX_PIXELS`; found out before they are decoded.
    """
    with _decoding(data):
        square = ImageOps.fit(_load(data), (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
        return np.asarray(_over_white(square), dtype=np.uint8)


def count_pixels(data: bytes) -> int:
    """Width times height of an image file, by its header; nothing is decoded.

    Raises:
        NotAnImage: empty or no known format.
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
    except UnidentifiedImageError as error:
        raise NotAnImage(f"no image; use one of {', '.join(FORMATS)}") from error
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        raise NotAnImage(f"the image is damaged ({' '.join(str(error).split())[:100]})") from error


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
        yield image


def _scalable(image: Image.Image) -> Image.Image:
    """Values that can be averaged: neither palette indices, nor bits, nor a colour that stands for none."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value / 256).convert("L")  # Pillow clips 16 bits, it does not scale
    if image.mode in ("L", "LA", "RGB", "RGBA") and "transparency" not in image.info:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _over_white(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")
