"""The backend `native`: all that a codec computes, by the compiled core."""

from __future__ import annotations

from compressnet.lossless.model import PixelModel
from compressnet.lossless.pixels import NumpyPixelCoder, PixelBackend, PixelCoder
from compressnet.lossy.entropy import EntropyBackend, EntropyCoder, NumpyEntropyCoder
from compressnet.lossy.prior import Prior
from compressnet.native.library import Core
from compressnet.native.networks import compile_program
from compressnet.native.pixels import make_pixel_coder
from compressnet.native.priors import make_entropy_coder
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.program import Program, Runner


class NativeBackend(EntropyBackend, PixelBackend):
    """The compiled core; NumPy runs what the core cannot, such as layers that are too large."""

    name = "native"

    def __init__(self, core: Core, threads: int) -> None:
        self.core, self.threads = core, threads

    def compile(self, program: Program, output_shape: tuple[int, ...]) -> Runner:
        """Make a proved program ready to run; output_shape is (C,H,W) or (D,)."""
        runner = compile_program(self.core, program, output_shape, self.threads)
        return NumpyBackend().compile(program, output_shape) if runner is None else runner

    def entropy_coder(self, prior: Prior) -> EntropyCoder:
        """A proved entropy model made ready to run."""
        return make_entropy_coder(self.core, prior, self.threads) or NumpyEntropyCoder(prior)

    def pixel_coder(self, model: PixelModel) -> PixelCoder:
        """A proved pixel model made ready to run."""
        return make_pixel_coder(self.core, model, self.threads) or NumpyPixelCoder(model)
