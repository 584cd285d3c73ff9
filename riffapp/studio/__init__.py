"""The use cases: each turns a plain request into a plain result."""
