"""General codecs to compare with: images come in, and the bytes that a codec takes come out.

To be read in this order: `rival` says what a rival is; `budget` limits the time, and `groups`
makes a collection ready and takes samples; `pictures`, `streams` and `klt` are the kinds of
rivals, and `catalogue` describes each one; `approach` looks for the quality that has a PSNR, and
`matched` gives the bytes there. `lossless` has what loses nothing, for collections of any sizes.
"""
