"""Settlement over HTTP, by subject."""
