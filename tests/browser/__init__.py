"""The add-on as a person meets it: real processes, a real Chromium, a frame of another site."""
