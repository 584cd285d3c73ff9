"""Sound <-> spectrogram picture. Knows nothing of diffusion or of the app."""
