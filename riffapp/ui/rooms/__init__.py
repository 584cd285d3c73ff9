"""The rooms: one module for each page."""
