``pymq-admin store dump|verify|recover DIR`` looks into a store of PyMQ or Apache without a broker, also while one runs: prints records,
queues, index and documents as text or JSON, names every damage with file, offset and cause, and does what a start would do.
