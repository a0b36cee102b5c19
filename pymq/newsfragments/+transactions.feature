Transactions: half messages, commit and rollback, the broker's questions about those that nobody ended, with the settings and limits of
Apache 4.9.8; ``pymq.client.TransactionProducer`` for Python. ``docs/transactions.rst`` tells of them.
