"""`algorithm: adaptive`: how much load is to be expected until new instances could be ready, learned from own errors.

`state` what one series remembers · `rule` one bin: learn, then expect · `series` readings → bins, for many at once ·
`carried` a load → a count. Pure: nothing is changed in place that a caller can see, and time is an argument.
"""
