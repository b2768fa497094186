"""Training: torch networks, fake quantization, the loss and the loop, and the freeze to a bundle."""
