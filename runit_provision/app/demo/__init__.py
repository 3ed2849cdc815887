"""`demo`: the whole road on the shipped examples, below one temporary directory, as whoever calls it.

`stage` is the directory and what is laid in it, `supervision` the processes, `story` what happens in which order, `interruption` how a
signal at any point still leaves nothing behind. What is shown, and how, is the narrator's.
"""
