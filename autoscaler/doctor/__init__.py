"""Everything a daemon of these settings will need, tried once: each fault with the way out."""
