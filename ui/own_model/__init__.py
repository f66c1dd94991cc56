"""The page on which a person opens her own network: the file, its first run, the data."""
