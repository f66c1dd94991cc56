"""Predictions that several lessons ask for."""

from ui.learn.lesson import Choice, Number

KB = Number("KB", 0, 2000)
PERCENT = Number("%", 0, 100)
POINTS = Number("points", -5, 100, 0.1)
BITS = Number("bits", 0, 32, 0.1)
TIMES = Number("times", 0, 100, 0.1)
DIGITS = Choice(tuple("0123456789"))
