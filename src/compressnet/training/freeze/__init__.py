"""From trained models to integers, and back: torch comes in, checked integer networks go out.

In reading order: `prior` (the entropy models), `check` (the comparison with the model), `lossy` (a
lossy network), `sizeless` (one for any size), `lossless` (pixel models), `thaw` (integers become a
model again), `move` (an integer network on other qualities).
"""
