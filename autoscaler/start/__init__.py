"""The first policy: which request counter fits which workload, what one replica carries by it, and the text of it."""
