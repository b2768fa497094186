"""Effort above 1: a search for symbols that cost less, at rate + lambda * distortion.

Images and the encoder's symbols come in, and symbols that are at least as good go out. To be read
in this order: `search` (the search itself, judged in integers), `tape` (gradients through an
integer program as an ONNX graph), `context` (the convolutional entropy model), `rate` (the
gradient of either entropy model), `gradients` (of both together), and `onnx` (what runs them).
"""
