``pymq-bench clients`` measures our client beside Java's on the same broker.
