"""A picture made to fit a format that cannot hold all of it, and words for what is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np

from .canvas import BYTE, Colours, Pixels, Scale
from .formats import Format, bits_of
from .images import image_of
from .metadata import Metadata, dpi_in
from .picture import CHANNELS, Picture


def fit(picture: Picture, room: Format) -> tuple[Picture, list[str]]:
    """The nearest picture that a format holds, and what changed, in words; the picture itself where all of it fits."""
    said: list[str] = []
    for step in (_with_straight_alpha, _with_colours, _with_alpha, _with_depth, _with_metadata):
        picture, words = step(picture, room)
        said += words
    return picture, said


Step = tuple[Picture, list[str]]


def _with_straight_alpha(picture: Picture, room: Format) -> Step:
    """Only a TIFF can have colours that are multiplied by alpha."""
    if not picture.premultiplied or room.extra:
        return picture, []
    return picture.straight(), ["colours multiplied by alpha are divided by it"]


def _with_colours(picture: Picture, room: Format) -> Step:
    transparent = picture.alpha or picture.key is not None
    grey = picture.colours == "grey" and room.plain_grey and (transparent or picture.bits > 8)
    large = picture.palette is not None and len(picture.palette) > 2 ** max(room.depths.get("palette", (0,)))
    if picture.colours in room.depths and not grey and not large:
        return picture, []
    if picture.palette is not None:
        colours = picture.palette[:, : 4 if picture.transparent_palette else 3][picture.pixels]
        changed = replace(picture, pixels=colours, colours="RGB", alpha=picture.transparent_palette, palette=None)
        return replace(changed, origin=None), ["its palette becomes RGB"]
    return _without_ink(picture) if picture.colours == "CMYK" else _without_grey(picture)


#: What is said of colours that become RGB: by their profile, or without it.
BY_PROFILE, WITHOUT_PROFILE = " by its colour profile", " without its colour profile"


def _without_grey(picture: Picture) -> Step:
    """Grey as RGB: by the photo's own profile into sRGB where it has one for grey, which RGB can't have."""
    colours, metadata = np.repeat(np.atleast_3d(picture.pixels)[..., :1], 3, axis=2), picture.metadata
    words = "grey becomes three equal channels"
    if metadata.icc[16:20] == b"GRAY":
        converted = _by_profile(replace(picture, pixels=np.atleast_3d(picture.pixels)[..., 0].copy(), alpha=False))
        words += WITHOUT_PROFILE if converted is None else BY_PROFILE
        colours, metadata = colours if converted is None else converted, metadata.without("icc")
    if picture.pixels.ndim == 3:
        colours = np.concatenate((colours, picture.pixels[..., 1:]), axis=2)
    key = picture.key and picture.key * 3
    return replace(picture, pixels=colours, colours="RGB", key=key, metadata=metadata, origin=None), [words]


def _without_ink(picture: Picture) -> Step:
    """CMYK as RGB: by the photo's own profile into sRGB where it has one, else by the simple model."""
    extra = picture.pixels[..., CHANNELS["CMYK"] :]
    ink = np.ascontiguousarray(picture.pixels[..., : CHANNELS["CMYK"]])
    colours = _by_profile(replace(picture, pixels=ink, alpha=False))
    words = "CMYK becomes RGB"
    if picture.metadata.icc:
        words += WITHOUT_PROFILE if colours is None else BY_PROFILE
    if colours is None:
        light = picture.canvas(np.zeros(picture.shape, np.bool_)).colours((slice(None), slice(None)))
        colours = picture.scale(np.ones(picture.shape, np.bool_)).from_unit(light)
    pixels = np.concatenate((colours, extra), axis=2) if extra.shape[2] else colours
    metadata = picture.metadata.without("icc")
    return replace(picture, pixels=pixels, colours="RGB", metadata=metadata, origin=None), [words]


def _by_profile(picture: Picture) -> Pixels | None:
    """The colours of a picture in sRGB, uint8 (H, W, 3); None without a profile that says so, or at other depths."""
    from PIL import ImageCms  # here, because few photos need it

    if not picture.metadata.icc or picture.pixels.dtype != np.uint8:
        return None
    profile, srgb = BytesIO(picture.metadata.icc), ImageCms.createProfile("sRGB")
    try:
        return np.asarray(ImageCms.profileToProfile(image_of(picture), profile, srgb, outputMode="RGB"))
    except ImageCms.PyCMSError:
        return None


def _with_alpha(picture: Picture, room: Format) -> Step:
    """Alpha kept, made of what counts as transparent, or laid on white; further channels kept or dropped."""
    said: list[str] = []
    count = CHANNELS[picture.colours] + picture.alpha
    if len(picture.extra) > picture.alpha and not room.extra:
        pixels = picture.pixels[..., :count] if count > 1 else picture.pixels[..., 0]
        picture = replace(picture, pixels=np.ascontiguousarray(pixels), origin=None)
        said.append("channels behind the colours are left out")
    if picture.key is not None and room.name != "PNG":
        opaque = Scale.of(picture.pixels, np.ones(picture.shape, np.bool_), picture.white).white
        alpha = np.where(picture.is_key(), 0, opaque).astype(picture.pixels.dtype)
        picture = replace(picture, pixels=np.dstack((picture.pixels, alpha)), alpha=True, key=None, origin=None)
    if picture.transparent_palette and room.name != "PNG":
        colours = picture.palette[picture.pixels] if picture.palette is not None else picture.pixels
        picture = replace(picture, pixels=colours, colours="RGB", palette=None, alpha=True, origin=None)
        said.append("its palette becomes RGB")
    if not picture.alpha or room.alpha:
        return picture, said
    alpha = picture.channel(CHANNELS[picture.colours])
    alpha = Scale.of(alpha, np.ones(picture.shape, np.bool_), picture.white).to_unit(alpha)
    return _on_white(picture, alpha), [*said, *(["transparent pixels are laid on white"] if alpha.min() < 1 else [])]


def _on_white(picture: Picture, alpha: Colours) -> Picture:
    """The picture without alpha, which is (H, W) in [0, 1] here."""
    everywhere, alpha = np.ones(picture.shape, np.bool_), alpha[..., None]
    channels = CHANNELS[picture.colours]
    scale = Scale.of(picture.pixels[..., :channels], everywhere, picture.white)
    paper = np.float32(0 if picture.colours == "CMYK" else 1)
    flat = scale.from_unit(alpha * scale.to_unit(picture.pixels[..., :channels]) + (1 - alpha) * paper)
    extra = picture.pixels[..., channels + 1 :]
    pixels = np.concatenate((flat, extra), axis=2) if extra.shape[2] else flat
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return replace(picture, pixels=np.ascontiguousarray(pixels), alpha=False, origin=None)


def _with_depth(picture: Picture, room: Format) -> Step:
    depths, bits = room.depths[picture.colours], bits_of(picture)
    plain = picture.pixels.dtype.kind in "bf" or picture.pixels.dtype in (np.uint8, np.uint16)
    full = picture.white in (None, 2**bits - 1) or room.any_white
    if bits in depths and full and (plain or room.extra):  # TIFF alone has signed numbers and long ones
        return picture, []
    larger = [depth for depth in depths if depth >= bits > 0 or depth == 0]
    wanted = larger[0] if larger else depths[-1]
    scale = Scale.of(picture.pixels, np.ones(picture.shape, np.bool_), picture.white)
    kind = np.dtype(np.float32 if wanted == 0 else np.bool_ if wanted == 1 else np.uint8 if wanted == 8 else np.uint16)
    white = 2**wanted - 1 if wanted not in (0, 1, 8, 16) else None
    new = BYTE if wanted == 8 else Scale(0, white or (1 if wanted < 2 else 65535), kind)
    pixels = new.from_unit(np.nan_to_num(scale.to_unit(picture.pixels)))
    key = picture.key and tuple(int(value) for value in new.from_unit(scale.to_unit(np.array(picture.key))))
    upto = "" if full else f" whose white is {picture.white}"
    words = f"{picture.kind}{upto} becomes {wanted}-bit" if wanted else f"{picture.kind} becomes float"
    return replace(picture, pixels=pixels, white=white, key=key, origin=None), [words]


#: All attributes of metadata but text.
ALL = ("exif", "xmp", "icc", "iptc", "dpi", "other")


def _with_metadata(picture: Picture, room: Format) -> Step:
    """Without what has no place, or is larger than its place."""
    metadata = picture.metadata
    text = metadata.text if "text" in room.metadata else {}
    if "comment" in room.metadata and "Comment" in metadata.text:
        text = {"Comment": metadata.text["Comment"]}
    kept = replace(metadata, text=text)
    large = [name for name in ("exif", "xmp", "iptc", "text") if room.most and _size(kept, name) > room.most]
    gone = [name for name in ALL if name not in room.metadata]
    kept = kept.without(*large, *gone)
    lost = metadata.without(*(name for name in ALL if name not in [*large, *gone]))
    lost = replace(lost, text={key: value for key, value in metadata.text.items() if key not in kept.text})
    if metadata.dpi and (held := dpi_in(kept.exif)) and np.allclose(held, metadata.dpi, rtol=0.01):
        lost = lost.without("dpi")
    return replace(picture, metadata=kept), [f"{', '.join(lost.names())} left out"] if lost.names() else []


def _size(metadata: Metadata, name: str) -> int:
    value = getattr(metadata, name)
    return len(value) if isinstance(value, bytes) else sum(len(text.encode()) for text in value.values())
