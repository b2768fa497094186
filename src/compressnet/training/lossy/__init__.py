"""The training of a lossy network: images and a design come in, a trained model goes out.

In reading order: `networks` (the model in torch), `design` (which networks a codec gets), `parts`
(images and their batches), `start` (a model begins as a transform codec), `family` (one model for
several kinds of images), `optimizers` (what moves parameters), `nearness` (a model stays close to
what it began as), `measuring` (held-out images, and whether going on pays), `loop` (the training),
`workers` (several trainings side by side).
"""
