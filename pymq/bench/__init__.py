"""`pymq-bench`: Apache's benchmark/producer.sh and consumer.sh, our client beside Java's, and the start of a killed store."""
