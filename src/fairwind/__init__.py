"""Fairwind: a self-hosted live-commerce platform with a creator alliance."""

__version__ = "0.1.0"
