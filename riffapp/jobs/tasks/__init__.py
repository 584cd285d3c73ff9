"""What can be asked for: one module for each room of the page."""
