"""The fault matrix of providers: what each of their faults becomes for a caller."""
