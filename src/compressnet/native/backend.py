"""The backend `native`: all that a codec computes, by the compiled core."""

from __future__ import annotations

import warnings

from compressnet.adaptive.model import AdaptiveBackend, AdaptiveSettings
from compressnet.errors import SlowerWarning
from compressnet.images.kinds import size_text
from compressnet.lossless.model import PixelModel
from compressnet.lossless.pixels import NumpyPixelCoder, PixelBackend, PixelCoder
from compressnet.lossy.entropy import EntropyBackend, EntropyCoder, NumpyEntropyCoder
from compressnet.lossy.prior import Prior
from compressnet.native.adaptive import NativeAdaptiveModel
from compressnet.native.library import Core
from compressnet.native.networks import NativeProgram, compile_program
from compressnet.native.pixels import make_pixel_coder
from compressnet.native.priors import NativeEntropyCoder, make_entropy_coder
from compressnet.networks.numpy import NumpyBackend, channels_last
from compressnet.networks.program import Program, Runner


class NativeBackend(EntropyBackend, PixelBackend, AdaptiveBackend):
    """The compiled core; NumPy runs what the core cannot, such as layers that are too large.

    Of each thing that NumPy runs there is a SlowerWarning; `left_to_numpy` lists them, in words.
    """

    name = "native"

    def __init__(self, core: Core, threads: int) -> None:
        self.core, self.threads = core, threads
        self.left_to_numpy: list[str] = []

    def compile(self, program: Program, output_shape: tuple[int, ...], like: Runner | None = None) -> Runner:
        """Make a proved program ready to run; output_shape is (C,H,W) or (D,)."""
        known = like if isinstance(like, NativeProgram) else None
        runner = compile_program(self.core, program, output_shape, self.threads, known)
        if runner is not None:
            return runner
        shapes = map(size_text, map(channels_last, (program.input_shape, output_shape)))
        self._leave_to_numpy(f"the network from {' to '.join(shapes)}")
        return NumpyBackend().compile(program, output_shape)

    def entropy_coder(self, prior: Prior, like: EntropyCoder | None = None) -> EntropyCoder:
        """A proved entropy model made ready to run."""
        known = like if isinstance(like, NativeEntropyCoder) else None
        coder = make_entropy_coder(self.core, prior, self.threads, known)
        if coder is not None:
            return coder
        self._leave_to_numpy(f"the entropy model of {len(prior.order)} symbols")
        return NumpyEntropyCoder(prior)

    def pixel_coder(self, model: PixelModel) -> PixelCoder:
        """A proved pixel model made ready to run."""
        coder = make_pixel_coder(self.core, model, self.threads)
        if coder is not None:
            return coder
        size = "any size" if model.size is None else size_text(model.size)
        self._leave_to_numpy(f"the pixel model for {size}x{model.channels}")
        return NumpyPixelCoder(model)

    def _leave_to_numpy(self, what: str) -> None:
        self.left_to_numpy.append(what)
        warnings.warn(
            f"{what} is beyond the compiled core; NumPy runs it, with the same results, several times slower",
            SlowerWarning,
            stacklevel=2,
        )

    def adaptive_model(self, settings: AdaptiveSettings, pixels: int) -> NativeAdaptiveModel:
        """A model that has learned nothing, with room to learn images of so many pixels."""
        return NativeAdaptiveModel(self.core, settings, pixels)
