"""Catalogue files: their bytes, their formats, and how their lines meet what a shop has. Pure."""
