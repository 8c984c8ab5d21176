"""Short scripts to copy. `kerasft recipe ls` lists them, `kerasft recipe cp NAME` makes one yours."""
