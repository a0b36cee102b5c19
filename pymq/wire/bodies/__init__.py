"""The JSON bodies, one module for each family; frozen structures with Java's field names in snake_case."""
