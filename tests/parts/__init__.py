"""The real parts tests run on: installed by `python -m tests.parts install`, started by fixtures, stopped by id."""
