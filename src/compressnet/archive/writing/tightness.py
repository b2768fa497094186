"""Whether images are coded in fewer channels than they came in.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from compressnet.codec.codec import Codec
from compressnet.images.forms import Form
from compressnet.images.kinds import Images, Kind, Pictures
from compressnet.images.modes import AS_IS, TIGHT, Tight, forms_of, tightest_kinds

Modes = Literal["as-is", "tight"]


def chosen_tight(
    batches: Callable[[], Iterable[Pictures]], codec: Codec | None, quality: int | None, modes: Modes | None
) -> Tight:
    """What is left out of the images of a collection.

    modes: `as-is`, nothing; `tight`, whatever an image can do without, image by image. None: what
    every image of the collection can do without; but where the codec codes some of them with it,
    and none without it, it stays. batches: gives the arrays of the collection, which are read for
    None alone, and no further than need be. quality: None for the codec's own.
    """
    if modes is not None:
        return AS_IS if modes == "as-is" else TIGHT
    allowed, shapes = tightest_kinds(batches())
    if codec is None or allowed == AS_IS:
        return allowed
    at = codec.default_quality if quality is None else quality
    tried = [
        allowed,
        Tight(colour=allowed.colour),
        Tight(alpha=allowed.alpha),
        AS_IS,
    ]
    for tight in tried:
        if any(codec.why_not(_kind(shape, tight), at) is None for shape in shapes):
            return tight
    return allowed


def way_out(codec: Codec, quality: int, form: Form, images_NHWC: Images) -> str:
    """What the message that a codec does not code images (N,H,W,C) ends with.

    It is empty where they cannot do without some of their channels, or where that does not help.
    """
    forms = [tighter for tighter, rows in forms_of(images_NHWC, TIGHT) if len(rows) == len(images_NHWC)]
    if not forms or codec.why_not(forms[0].kind, quality) is not None:
        return ""
    grey, opaque = forms[0].grey, forms[0].opaque
    what = f"they are grey saved in {form.kept_channels} channels" if grey else "their alpha is opaque throughout"
    also = " with opaque alpha" if grey and opaque else ""
    return f"; {what}{also}: --modes tight (modes='tight' in Python) codes them"


def _kind(shape: tuple[int, ...], tight: Tight) -> Kind:
    """What is coded of images of 8 bits that can do without whatever is left out."""
    channels = shape[2] if len(shape) == 3 else 1
    form = Form(
        shape=shape,
        grey=tight.colour and channels >= 3,
        opaque=tight.alpha and channels in (2, 4),
    )
    return form.kind
