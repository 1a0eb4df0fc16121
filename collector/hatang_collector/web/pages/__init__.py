"""The pages, rendered on the server. Scripts only keep them current."""
