"""What a file is, checks before a parser sees it, and weights read in a sandbox."""
