"""What arrays mean that are to be images or labels, whatever file they are in.

To be read in this order: `layouts` (the axes), `depths` (the types of values), `roles` (which
arrays are images and which are their labels, by name), and `labels` (labels from an array).
"""
