"""The lossy networks in torch: a kind of images and widths come in, a `Model` to train goes out.

In reading order: `formats` (steps and ranges of numbers), `widths`, `layer_list` and
`architecture` (which layers there are), `layers` and `trainable_network` (layers that compute),
`gains` (one network, many rates), `channels` and `pixels` (images as the networks see them),
`distributions`, `prior_module`, `masked_module` and `context_module` (the two entropy models),
`model` (all of it as one).
"""
