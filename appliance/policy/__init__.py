"""Rules of who may do what, as operators write them."""
