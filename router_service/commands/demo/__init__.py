"""`signalbox demo`: scenarios over real processes, held against what the simulated providers saw."""
