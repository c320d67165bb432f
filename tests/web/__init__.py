"""The pages room: sessions, headers, views, endpoints."""
