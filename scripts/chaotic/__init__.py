"""What `scripts/chaos.py` breaks, and how it tells whether a row was lost."""
