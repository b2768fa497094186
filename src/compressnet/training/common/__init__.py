"""What both trainings share: a collection and options come in, checkpoints and reports go out.

In reading order: `options` (how to train, and what is reported), `frames` (images of many
sizes as pieces of few), `gather` (the distinct images of a collection), `checkpoints`, `schedule`
(steps, reports, checkpoints, Ctrl-C), `quantize` (floats that hold exactly what integer networks
will hold).
"""
