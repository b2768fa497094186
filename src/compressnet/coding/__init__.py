"""What every method of coding shares: the interface, the range coder, frequencies, blocks.

Values with their frequencies come in and payloads go out. To be read in this order: `coder` (the
interface `Coder`, one for every method), `part` (a method's part of a codec), `range_coder` (one
payload) and `range_lanes` (many payloads in lockstep), `mixture` and `softmax` (integers to
frequencies), `lockstep` (many blocks at once, on threads), `predictors` (what neighbours say of a
value), and `stored` (the method that needs no codec).
"""
