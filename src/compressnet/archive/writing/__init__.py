"""Images of any shapes to the blocks of an archive, in bounded memory.

Arrays come in and blocks go out, by way of a container's writer. To be read in this order:
`settings` (all that is to be said of writing), `bounds` (what every image has to meet),
`tightness` (channels that need not be coded), `distinct` (equal images once), `outcome` (what was
written), `intake` (what is coded of the images that are given), `bins` (images that wait for a
group), `cheaper` (whether another coder takes fewer bytes), `bounded` (where an image goes that
missed its bounds), `placing` (blocks appended, and where each image is), `router` (which sends
each image through all of these), and `write` (a whole archive). Where there is no trained codec,
`choosing` says which codec suits the images, by `comparing` them on a sample, and what was
`picked`; `novelty`, `priming` and `learning` make one of the images themselves.
"""
