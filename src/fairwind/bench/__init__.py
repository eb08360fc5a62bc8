"""Measuring Fairwind: orders a second, batched and one by one, in process and through HTTP."""
