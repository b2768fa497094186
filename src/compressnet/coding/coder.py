"""A way of coding images."""

from __future__ import annotations

STORED, LOSSY, LOSSLESS = 0, 1, 2
METHODS = {STORED: "stored", LOSSY: "lossy", LOSSLESS: "lossless"}
STORED_QUALITY = LOSSLESS_QUALITY = 100
"""What stands where a lossy block has its quality."""
