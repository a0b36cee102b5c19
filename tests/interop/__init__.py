"""Real foreign clients and real Apache servers against pymq. Run with `pytest -m interop tests/interop`."""
