"""What traffic does in the database."""
