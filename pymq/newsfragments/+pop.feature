Popping from brokers of Apache RocketMQ 5.x: ``PopConsumer``, which gives messages with receipts, and push consumers with ``client_rebalance=False``, whose queues the brokers share out.
