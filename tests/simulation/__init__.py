"""A deterministic simulation: a broker, its store on a disk in memory, clients and time in one process, driven by a seed.

    python -m tests.simulation --seeds 10000        run many seeds
    python -m tests.simulation --seed 1234 --trace  run one again, and print what happens

The seed decides settings, what clients do, when the disk fails and when the power is cut. After every start `checks` compares the
store with what the clients were told, which `model` remembers.
"""
