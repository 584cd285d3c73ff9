"""riffapp: where the picture core and the sound library meet, and the doors to both."""

__version__ = "0.1.0"
