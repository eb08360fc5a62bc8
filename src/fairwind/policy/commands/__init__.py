"""What changes the platform's policy, and what it gathers from sales."""
