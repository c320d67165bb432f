"""The life cycle room: signature, keys, the four calls."""
