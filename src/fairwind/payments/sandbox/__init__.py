"""The sandbox payment provider: a service of its own that behaves, and misbehaves, like a real one. No money moves.

It runs in its own process (`python -m fairwind.payments.sandbox`), keeps its own book in an SQLite file, knows nothing
of Fairwind's database, and is spoken to only over HTTP. Fairwind starts it as a supervised child, see process.py.
"""
