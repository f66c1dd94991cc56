"""The room of the lessons: what they ask, what is measured, and the bar over the page."""
