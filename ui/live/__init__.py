"""What the live component draws on each page: the profiles of the layers, and the numbers it starts
from."""
