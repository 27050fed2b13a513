"""Whether the reference holds cells like a given one."""
