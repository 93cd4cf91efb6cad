"""What tests share: waiting for a condition, and bounded load."""
