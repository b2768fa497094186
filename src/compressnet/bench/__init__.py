"""Measurements: a codec and images come in, figures and pages come out.

To be read in this order: `points` is what is measured, of images in `sets` of one kind each;
`archives` measures archives on disk, `evaluate` a codec in four `ways` that have to agree, and
`measure` compressnet beside its `rivals`; `mixed` measures what loses nothing on images of any
sizes; `lossless` and `curves` compare the points; `page` and `report` write them down; `demo`
shows all of it on MNIST.
"""
