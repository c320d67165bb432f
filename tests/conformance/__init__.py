"""One suite for every system that receives: whatever it does, it ends up holding what it should, once."""
