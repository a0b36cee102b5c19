"""What a name server knows, and its processor: routes, clusters, key-value configuration."""
