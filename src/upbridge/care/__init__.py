"""What keeps the house in order: retention, erasure, doctor."""
