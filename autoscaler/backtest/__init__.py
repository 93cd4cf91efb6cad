"""The same decisions on a past, recorded or written down: backtests, the benchmark, tests beside policies."""
