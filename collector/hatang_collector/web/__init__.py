"""The API and the pages. The only part of the program that knows FastAPI."""
