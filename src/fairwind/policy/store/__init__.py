"""All SQL of the policy."""
