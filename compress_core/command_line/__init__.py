"""The command line: its options (parser), what each command does, and how results are printed."""
