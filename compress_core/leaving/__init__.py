"""What leaves: exports as measured files, a decoder in one file, a script, a report."""
