"""How messages get to people: each sends one message and says whether it got there."""
