"""The alliance's SQL, by subject."""
