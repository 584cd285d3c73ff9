"""Training: pictures and captions -> weights in diffusers layout. One readable loop for each network."""
