"""What a user gets: the distributions, installed into fresh virtual environments. They come from the package index, so only
`pytest -m packaging tests/packaging` runs these."""
