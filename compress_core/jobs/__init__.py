"""Long work in processes of its own: submit, progress, cancel, result.

What there is to do (`work`), its folder on disk (`store`, `log`), whose turn it is (`turns`), the
process that does it (`worker`) and who looks after that process (`process`), on this machine
(`local`) or on a cluster (`cluster`). `executor` says what both of them offer.
"""
