"""The nouns: frozen structs and closed enums that every other room speaks in.

Times are floats: seconds since the epoch, UTC. Spans are floats in seconds and named `_s`.
"""
