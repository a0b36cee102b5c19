"""Tools for operators: `pymq-admin`. A table of commands (`console`), each a module that knows its own options.

`pymq-admin store` looks at a store folder without a broker: `folder` finds the files, `logcheck`, `queuecheck` and `indexcheck`
hold them against each other, `verify` runs all of that, `dump` prints what is there.
"""
