"""Where cells are read from: memory, disk, or a GPU; and how they are split."""
