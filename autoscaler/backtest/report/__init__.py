"""A backtest for people: sparklines for the terminal, a picture, a page."""
