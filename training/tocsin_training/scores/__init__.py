"""Scores: from the residuals of a forecast to evidence by channel."""
