"""What a MuData must look like: specs, layouts, checks, presence, panels and alignment."""
