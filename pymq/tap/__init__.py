"""Command lines: the options of `twistd pymq-broker` and `twistd pymq-namesrv`, and the console scripts of the same names."""
