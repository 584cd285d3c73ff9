"""Training: pictures and captions -> weights in diffusers layout, one loop for each network."""
