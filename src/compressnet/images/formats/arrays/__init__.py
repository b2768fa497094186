"""Files of arrays.

To be read in this order: `common` (what all arrays of images have in common), `npy`, `idx`,
`beside` (labels and names of these), `files` (one or several of both), and `npz` and `idx_zips`
(arrays in a ZIP).
"""
