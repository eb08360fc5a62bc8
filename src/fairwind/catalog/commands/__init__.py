"""What changes the catalog: batches in, one outcome per item; load, decide, save."""
