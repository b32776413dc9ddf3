"""What a network is trained for: its loss, its scores, its table."""
