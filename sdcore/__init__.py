"""Words in, pictures out: a diffusion core that knows nothing of sound. Begin in `generate.py`."""
