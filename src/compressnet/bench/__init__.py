"""Measurement: evaluation of a codec, the demo, and what they report."""
