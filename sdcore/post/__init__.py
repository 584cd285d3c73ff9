"""Picture -> picture, after the walk: colours, upscaling, faces, sheets."""
