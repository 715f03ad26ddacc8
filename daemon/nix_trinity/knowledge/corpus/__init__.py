"""What answers are grounded in: options, manual, notes, and their index."""
