"""What all others know of values: of what kind they are, which are secret, and how much may be."""
