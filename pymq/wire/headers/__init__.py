"""The typed headers, one module for each family of requests; classes have Java's names, fields its names in snake_case."""
