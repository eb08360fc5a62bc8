"""The SQL of settlement, by subject."""
