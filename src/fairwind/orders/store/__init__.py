"""All SQL of the orders."""
