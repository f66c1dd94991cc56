"""What several pages show: the strip, charts with their tables, harm, ledger, speed, widgets."""
