"""Networks of other people, in the formats in which they come."""
