"""How large networks are, and the grid of tiles that an image is cut into."""

from __future__ import annotations

from dataclasses import dataclass

from compressnet.lossy.sizeless import grid_of
from compressnet.training.common.quantize import WEIGHT_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """How large the networks are."""

    patch_px: int = 2
    """Pixels of a side that the first layer takes together, and the last one gives."""
    fine: int = 16
    """Channels at a place for each patch."""
    coarse: int = 32
    """Channels at half of the patches' rows and columns."""
    deep: int = 0
    """Channels at a quarter of them; 0: the networks stop at half."""
    dense: int = 160
    vector: int = 32
    """Symbols that describe the image as a whole; 0 for none."""
    grid: int = 4
    """Symbols for each tile; 0 for none."""
    vector_group: int = 1
    """Symbols of the vector that are coded at once, each blind to the others."""
    hidden_vector: int = 8
    """Hidden units of the entropy model for each group of the vector."""
    hidden_grid: int = 20
    """Hidden units of the entropy model for each group of the grid."""
    slices: int = 0
    """Slices that the grid's channels are cut into for a convolutional entropy model; 0 for a
    masked MLP."""
    hidden_slice: int = 32
    """Hidden units of the convolutional entropy model, in each of its two layers, for each
    slice."""
    pyramid: bool = False
    """Whether the convolutional entropy model codes the first phase of the first slice from coarse
    to fine."""
    weight_limit: int = WEIGHT_LIMIT
    """Largest magnitude of most of the decoding part's integer weights. A smaller one makes a
    smaller codec."""
    fine_blocks: int = 1
    coarse_blocks: int = 1
    deep_blocks: int = 1
    """Residual blocks of `deep` channels, of the decoder and of the encoder."""
    analysis_blocks: int = 1
    """Residual blocks of the encoder's `coarse` channels; the decoder has `coarse_blocks`."""
    analysis_dense: int = 0
    """Width of the encoder's dense layers; 0: that of the decoder's."""
    dense_blocks: int = 0
    """Residual blocks of dense layers in the decoder."""
    analysis_dense_blocks: int = 0
    """Residual blocks of dense layers in the encoder."""
    channels: int = 0
    """Channels that the networks see; 0: the images'. Images of fewer are mapped to them
    (`compressnet.lossy.promotion`)."""
    positions: bool = True
    """Whether the convolutional entropy model knows where in an image it is. It cannot if images
    of several sizes share a network."""
    refined: bool = False
    """Whether the encoder looks at what its first symbols decode to, and corrects them."""
    refinement_blocks: int = 2
    """Residual blocks of the refinement's `coarse` channels."""
    refinement_dense: int = 320
    linear: bool = False
    """Whether linear branches beside the networks lead from pixels to latents, and from symbols to
    pixels."""

    @property
    def tile_px(self) -> int:
        """A grid of symbols has a place for each tile of so many pixels a side.

        An image of other sides is extended to whole tiles, at least two, and cropped again.
        """
        return self.patch_px * (4 if self.deep else 2)

    def grid_shape(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the symbols' grid: one for each tile, but at least two."""
        return grid_of(height, width, self.tile_px)
