"""The sandbox provider as Fairwind speaks to it."""
