"""The demo: a live sale with a crowd of buyers, on a real catalogue or the sample that ships beside this file."""
