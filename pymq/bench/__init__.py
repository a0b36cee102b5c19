"""`pymq-bench producer|consumer`: Apache's benchmark/producer.sh and consumer.sh, with their letters and their lines."""
