"""Bytes to commands and back: the remoting protocol with no Twisted and no input or output in it."""
