"""Batches of one shop: load, decide, save."""
