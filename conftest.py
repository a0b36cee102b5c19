"""Makes the checkout importable for pytest, as `python -m` does for trial."""
