"""Fixtures of the end-to-end stories that the faults happen to as well."""

from tests.e2e.shop import shop as shop
