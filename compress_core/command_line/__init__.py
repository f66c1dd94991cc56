"""The command line: what can be said (parser), what each command does, and its tables."""
