"""Exact integer networks, and what runs them.

A program comes in, as nodes with integer weights, and a runner goes out that gives the same
integers on every machine. To be read in this order: `program` (nodes, programs, the interface of a
backend), `proof` (that float32 holds every sum exactly), `costs` (what running a program takes),
`numpy` (the definition, and a backend), `dense` (layers of entropy and pixel models), `graphs`
(programs as ONNX graphs), and `onnx` (ONNX Runtime as a backend).
"""
