"""What changes the alliance: each command loads what a batch needs, decides, saves the outcome once.

Locks are taken in one order: stock by SKU id, pool items by product id (a product's plans change only under its own),
what is kept of stock by SKU id, participants, picks.
"""
