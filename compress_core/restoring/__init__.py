"""Restore a stored file: with the network's code it gives the network that was evaluated.

files      restore(): a file and a network's code → the runnable module, equal bit for bit
fitting    the network's modules get the sizes in the file: cut channels, folded norms, factors
"""

from compress_core.restoring.files import read_stored, restore, restore_decoded

__all__ = ["read_stored", "restore", "restore_decoded"]
