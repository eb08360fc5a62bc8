"""The SQL of traffic."""
