"""The training of pixel models: images and a design come in, a network of each plane goes out.

In reading order: `design` (how large they are), `layers` and `network` (a plane's network in
torch), `sampling` (which pixels are learned from), `loop` (the training).
"""
