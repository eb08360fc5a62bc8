"""Measuring traffic: on published scores, in a simulated feed, with replicas, and how long it takes."""
